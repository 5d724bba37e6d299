"""Figures without a screen, written as whole PNG files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from odm.archive.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches; without pyplot, which keeps figures and may want a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write_figure(path: object, figure: Figure, *, tight: bool = False) -> None:
    """Write a PNG; ``tight`` cuts or widens it to what is drawn."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, format="png", bbox_inches="tight" if tight else None)
    write_bytes(path, buffer.getvalue())
