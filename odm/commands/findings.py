"""Findings of any kind as people see them: a line of text, a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from odm.catalog.campaign import Campaign
    from odm.catalog.outcomes import OutcomeKind

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """A picture to be drawn.

    Attributes:
        campaign: that the findings are of.
        source: their file, relative to its archive.
        findings: rows of it, of one input.
        label: what they are.
        name: of the picture, without an extension.
    """

    campaign: Campaign
    source: str
    findings: list[Row]
    label: str
    name: str


def describe(kind: OutcomeKind, row: Row) -> str:
    """A finding in one line."""
    if kind.name == "ionograms":
        return (
            f"{row['ionogram_id']}: {row['layer']}, {row['frequency_min'] / 1e6:.2f} to "
            f"{row['frequency_max'] / 1e6:.2f} MHz, {row['range_min']:.0f} to "
            f"{row['range_max']:.0f} km, confidence {row['confidence']:.2f}"
        )
    return (
        f"{row['region_id']} at {row['time_peak']:%Y-%m-%d %H:%M:%S}, "
        f"{row['frequency_peak'] / 1e3:.2f} kHz, {row['area_pixels']} pixels, "
        f"confidence {row['confidence']:.2f}"
    )


def draw(kind: OutcomeKind, wanted: Sequence[Wanted], folder: str) -> list[str]:
    """Draw findings on the inputs that they are from; what cannot be read any more is noted.

    Returns:
        The pictures.
    """
    from odm.core.errors import OdmError
    from odm.core.files import join

    drawn: list[str] = []
    for one in wanted:
        name = one.name.replace("/", "_")  # an ionogram may be called by its path
        paths = (join(folder, f"{name}{end}.png") for end in ("", *(f"_{n}" for n in range(2, 99))))
        path = next(path for path in paths if path not in drawn)
        try:
            _draw_one(kind, path, one)
        except OdmError as error:
            typer.echo(f"note: no picture: {error}", err=True)
        else:
            drawn.append(path)
    return drawn


def _draw_one(kind: OutcomeKind, path: str, one: Wanted) -> None:
    archive = one.campaign.card.archive
    if kind.name == "ionograms":
        from odm.findings.layer_picture import draw_layers

        draw_layers(path, archive, one.source, one.findings, one.label)
        return
    from odm.findings.region_picture import draw_region

    (region,) = one.findings
    label = f"{one.label}, confidence {region['confidence']:.2f}"
    draw_region(path, archive, one.source, region, label)
