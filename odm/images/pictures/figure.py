"""Figures without a screen, written as whole files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from odm.core.files import write_bytes

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


def write_figure(
    path: object, figure: Figure, *, tight: bool = False, form: str = "png", dpi: int = DPI
) -> None:
    """Write a PNG, or a PDF; ``tight`` cuts or widens it to what is drawn."""
    buffer = io.BytesIO()
    dates: dict[str, None] = {"CreationDate": None} if form == "pdf" else {}  # same bytes again
    figure.savefig(
        buffer, dpi=dpi, format=form, bbox_inches="tight" if tight else None, metadata=dates
    )
    write_bytes(path, buffer.getvalue())
