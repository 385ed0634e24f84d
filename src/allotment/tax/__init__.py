"""The law: lots, holding periods, wash sales, netting, rates. No tax advice."""

# Kept with every decision and every derived state; raised whenever a rule changes a figure.
RULES_VERSION = "2026.1"
