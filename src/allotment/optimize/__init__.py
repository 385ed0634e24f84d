"""The optimiser: one account's trades by lot, proven near-optimal. Method: docs/internals/optimizer.md."""
