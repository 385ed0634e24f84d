"""The law: lots, holding periods, wash sales, netting, rates. No tax advice."""
