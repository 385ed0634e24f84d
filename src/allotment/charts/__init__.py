"""Plotly figures, made once for notebooks, console and docs."""
