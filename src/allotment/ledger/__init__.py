"""The books: events of accounts, and the lots, disposals and cash that follow from them."""
