"""Facts about the market: securities, calendar, prices, indexes, corporate actions, groups."""
