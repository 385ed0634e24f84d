"""The Python face, for notebooks: tables as Polars frames, figures by Plotly; `import allotment` shows it."""

from allotment.api.desk import Desk, frontier, what_if
from allotment.api.frontier import FrontierAnswer
from allotment.api.what_if import WhatIfAnswer

__all__ = ["Desk", "FrontierAnswer", "WhatIfAnswer", "frontier", "what_if"]
