"""Files of prices, indexes, corporate actions and the book, read and checked."""
