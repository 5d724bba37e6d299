"""`odm ionogram`: ionograms that exist only as a picture, back to a matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Ionograms that exist only as pictures.")
app.callback()(lambda: None)  # or its one command would have no name of its own

Four = tuple[float, float, float, float]
MOST_UNREAD = 0.3
"""Share of the drawn pixels without a colour of the scale, above which the scale is another.

Plots by matplotlib as PNG and JPEG had at most 0.08 with their own colour map; inferno read as
viridis has 0.45 and more."""


@app.command("from-picture")
def from_picture(
    picture: Annotated[str, typer.Argument(help="A plotted ionogram, PNG or JPEG.")],
    out: Annotated[str, typer.Argument(help="Matrix to write, .npz.")],
    area: Annotated[
        Four, typer.Option(help="Borders of the data in pixels: left top right bottom.")
    ],
    frequency: Annotated[
        tuple[float, float], typer.Option(help="MHz at the left and right border.")
    ],
    range_: Annotated[
        tuple[float, float], typer.Option("--range", help="km at the lower and upper border.")
    ],
    snr: Annotated[tuple[float, float], typer.Option(help="dB of the first and last colour.")],
    colours: Annotated[str, typer.Option(help="A matplotlib colour map.")] = "viridis",
    bar: Annotated[
        Four | None,
        typer.Option(help="Instead: the picture's own colour bar in pixels, left top right bottom"),
    ] = None,
    cells: Annotated[
        tuple[int, int] | None,
        typer.Option(help="Frequencies and ranges that were drawn [default: one per pixel]."),
    ] = None,
    ground: Annotated[
        str,
        typer.Option(
            help="Colour where nothing was drawn, as white or #e5e5e5: no values; none if all was "
            "drawn; auto for a flat white or grey that is none of the scale."
        ),
    ] = "auto",
    convention: Annotated[
        str, typer.Option(help="What a range is: backscatter, vertical or oblique.")
    ] = "backscatter",
    time: Annotated[str, typer.Option(help="UTC, as 2020-09-30T16:54:03.")] = "",
    link: Annotated[str, typer.Option(help="Link or station.")] = "",
) -> None:
    """Cut a plot down to its data, and turn its colours back into SNR.

    Example: odm ionogram from-picture plot.png plot.npz --area 80 53 965 842 --frequency 0 24.9
    --range 3110 5110 --snr -3 30 --colours inferno --convention oblique
    """
    import numpy as np

    from odm.archive.ionogram.base import CONVENTIONS, Ionogram
    from odm.archive.ionogram.matrix import write_matrix
    from odm.archive.ionogram.reader import check_ionogram, open_ionogram
    from odm.commands.inspect_ionogram import describe_ionogram
    from odm.core.errors import ArchiveError, InputError
    from odm.datasets.labels.digitise import PlotScale, digitise_plot

    if convention not in CONVENTIONS:
        raise InputError(f"convention {convention!r} is none of {', '.join(CONVENTIONS)}")
    if not out.endswith(".npz"):
        raise InputError(f"{out}: give a name that ends in .npz")
    try:
        np.datetime64(time or "2000-01-01", "ms")
    except ValueError:
        raise InputError(f"time {time!r} is no date: write it as 2020-09-30T16:54:03") from None
    plot = digitise_plot(
        picture,
        PlotScale(
            area=area,
            frequency=(frequency[0] * 1e6, frequency[1] * 1e6),
            group_range=range_,
            snr=snr,
            colours=bar or colours,
            cells=cells,
            ground=ground,
        ),
    )
    unread = f"{100 * plot.unread_share:.1f} % of "
    unread += "the drawn pixels" if plot.ground else "the pixels"
    if plot.unread_share > MOST_UNREAD:
        raise InputError(
            f"{picture}: {unread} have no colour of the scale; give the colour map it was drawn "
            "with (--colours), or its own bar (--bar), and the colour of its axes if nothing was "
            "drawn on most of them (--ground)"
        )
    try:  # before an older file is written over
        axes = (plot.frequency, plot.group_range)
        check_ionogram(out, Ionogram(plot.snr, *axes, convention, np.datetime64("NaT"), "", "", {}))
    except ArchiveError as error:
        raise InputError(f"{error} (--frequency in MHz, --range in km)") from None
    write_matrix(
        out,
        plot.snr,
        plot.frequency,
        plot.group_range,
        time=time,
        link=link or Path(picture).stem,
        range_convention=convention,
    )
    strongest = describe_ionogram(open_ionogram(out))["strongest_db_mhz_km"]
    print(
        f"{out}: {plot.frequency.size} frequencies by {plot.group_range.size} ranges; "
        f"{_ground(plot.ground, plot.ground_share)}; {unread} have no colour of the scale; "
        "strongest {} dB at {} MHz, {} km".format(*strongest)
    )


def _ground(colour: str, share: float) -> str:
    return f"{100 * share:.1f} % is ground ({colour})" if colour else "no ground"
