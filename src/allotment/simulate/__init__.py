"""Simulation with the production engine: the sample world, later backtests."""
