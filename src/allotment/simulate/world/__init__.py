"""The sample world: a market and a book of accounts, made from a seed."""
