"""Pictures of findings, of any kind, on the inputs that they are from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from odm.catalog.campaign import Campaign


@dataclass(frozen=True)
class Picture:
    """A picture to be drawn.

    Attributes:
        campaign: campaign of the findings.
        source: file of the input, relative to the campaign's archive.
        findings: rows of findings of this input.
        label: what the findings are.
        name: file name of the picture, without an extension.
    """

    campaign: Campaign
    source: str
    findings: list[Mapping[str, Any]]
    label: str
    name: str


def draw(pictures: Sequence[Picture], folder: str) -> list[str]:
    """Draw pictures, and note inputs that cannot be read any more.

    Returns:
        Paths of the pictures.
    """
    from odm.core.errors import OdmError
    from odm.core.files import join
    from odm.core.kinds import KINDS

    drawn: list[str] = []
    for picture in pictures:
        name = picture.name.replace("/", "_")  # an ionogram may be called by its path
        paths = (join(folder, f"{name}{end}.png") for end in ("", *(f"_{n}" for n in range(2, 99))))
        path = next(path for path in paths if path not in drawn)
        card = picture.campaign.card
        draw_findings = KINDS.find(card.kind).load("picture")
        try:
            draw_findings(path, card.archive, picture.source, picture.findings, picture.label)
        except OdmError as error:
            typer.echo(f"note: no picture: {error}", err=True)
        else:
            drawn.append(path)
    return drawn
