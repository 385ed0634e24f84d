"""Risk: a factor model estimated from returns, named exposures, tracking error."""
