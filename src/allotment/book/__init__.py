"""Facts about clients: households, accounts, sleeves, mandates, lots, venues."""
