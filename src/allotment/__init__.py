"""Allotment: open direct indexing. Own the index share by share, one account at a time."""

from importlib.metadata import version

__version__ = version("allotment")
