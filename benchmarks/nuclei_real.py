"""Nuclei planted in real spectrograms: how many a detector finds, and what else it takes for one.

    ODM_REAL_DATA=FOLDER python benchmarks/nuclei_real.py MODEL

The folder holds ``real_spectrograms.npz``: ``image`` (M, h, w) uint8, top = high frequency, grey =
log10 of the PSD, and ``name``. They are no part of the project, and it is a test that is used once,
after everything is frozen: nothing may be chosen by it.

Each picture is searched as it is, with three nuclei planted, and with three controls: a box, a
streak, and a patch of the picture displaced (`nuclei_plants`). A nucleus is found by a region that
overlaps it with an IoU of at least 0.25, unless the picture as it is has such a region there too. A
control is refused unless a region that the picture as it is does not have lies at least half inside
it, or covers at least half of it. What is found in the pictures as they are is counted, not scored:
nobody has labelled them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import report
from nuclei_plants import BINS, CONTRASTS_DB, ROWS, Planted, powers, with_controls, with_nuclei
from nuclei_tallies import Bench, Running
from numpy.typing import NDArray

from odm.catalog.bootstrap import block_weights, interval
from odm.core.errors import InputError, OdmError
from odm.core.progress import progress
from odm.findings.regions import Region, RegionSettings, find_regions
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry
from odm.images.spectrogram import spectrogram_image
from odm.scoring.matching import mask_overlaps, match_findings
from odm.scoring.sheet import interval_text, rounded
from odm.simulate.orbit.emission import FREQUENCY

FILE = "real_spectrograms.npz"
SEED = 950001
OVERLAP, TOUCH = 0.25, 0.5
"""IoU from which a nucleus is found; share of a region in a control, or of a control in a region,
from which the control is taken for a nucleus."""

Predict = Callable[[NDArray[np.uint8]], NDArray[Any]]


@dataclass(frozen=True)
class Outcome:
    """One thing that was planted: in which picture, and whether there is a region at its place in
    the picture with it (``found``) and in the picture as it is (``before``)."""

    picture: int
    kind: str
    contrast_db: float
    found: bool
    before: bool

    @property
    def is_new(self) -> bool:
        """Whether it is found because it was planted."""
        return self.found and not self.before


class Search:
    """Finds regions in powers.

    Args:
        predict: from images to maps of probability.
        images: what the model sees.
        regions: how its maps become regions.
    """

    def __init__(
        self, predict: Predict, images: OrbitImageSettings, regions: RegionSettings
    ) -> None:
        self.predict, self.images, self.regions = predict, images, regions
        times = np.datetime64("2021-01-01", "ns") + np.arange(ROWS) * np.timedelta64(2048, "ms")
        places = (np.linspace(-65, 65, ROWS), np.zeros(ROWS))
        self.geometry = SpectrogramGeometry(times, FREQUENCY[:BINS], *places, images)

    def __call__(self, versions: Sequence[NDArray[np.float64]]) -> list[list[Region]]:
        """Return the regions of several spectrograms, each a power (ROWS, BINS)."""
        shown = [spectrogram_image(np.sqrt(power), self.images) for power in versions]
        maps = self.predict(np.stack(shown))
        return [find_regions(one, self.geometry, self.regions) for one in maps]


def search_picture(
    search: Search, picture: NDArray[np.uint8], number: int
) -> tuple[list[Outcome], int]:
    """Return what became of the plants of one picture, and the number of regions without any."""
    rng = np.random.default_rng([SEED, number])
    plain = powers(picture, rng)
    planted, nuclei = with_nuclei(plain, rng)
    controlled, controls = with_controls(plain, rng, number)
    before, after, among = search([plain, planted, controlled])
    found, already = overlapped(nuclei, after), overlapped(nuclei, before)
    taken, was = touched(controls, among), touched(controls, before)
    rows = [*zip(nuclei, found, already, strict=True), *zip(controls, taken, was, strict=True)]
    outcomes = [Outcome(number, one.kind, one.contrast_db, now, old) for one, now, old in rows]
    return outcomes, len(before)


def overlapped(plants: Sequence[Planted], regions: Sequence[Region]) -> list[bool]:
    """Return which plants are found, each by a region of its own."""
    overlaps, _ = mask_overlaps([one.mask for one in plants], [one.mask for one in regions])
    match = match_findings(overlaps, [one.confidence for one in regions], OVERLAP)
    found = {true for true, _ in match.pairs}
    return [number in found for number in range(len(plants))]


def touched(plants: Sequence[Planted], regions: Sequence[Region]) -> list[bool]:
    """Return which plants a region lies at least half inside of, or covers at least half of."""
    _, shared = mask_overlaps([one.mask for one in plants], [one.mask for one in regions])
    least = TOUCH * np.minimum.outer(
        [np.count_nonzero(one.mask) for one in plants],
        [np.count_nonzero(one.mask) for one in regions],
    )
    hits = (shared >= least) & (shared > 0)
    return [bool(row.any()) for row in hits]


def share_row(
    what: str, outcomes: Sequence[Outcome], pictures: int, *, refused: bool
) -> dict[str, Any]:
    """Return a line of the table: the share of plants that are found, or refused.

    For the interval pictures are resampled as a whole.
    """
    place = [one.picture for one in outcomes]
    good = np.bincount(place, [one.is_new != refused for one in outcomes], minlength=pictures)
    every = np.bincount(place, minlength=pictures)
    weights = block_weights(pictures, 1000)
    drawn = weights @ every
    resampled = np.divide(weights @ good, drawn, out=np.full(drawn.shape, np.nan), where=drawn > 0)
    share = good.sum() / every.sum() if every.sum() else float("nan")
    return {
        "of": what,
        "planted": len(outcomes),
        "refused" if refused else "found": int(good.sum()),
        "share": rounded(share),
        "95 %": interval_text(interval(resampled)),
        "a region there before": sum(one.before for one in outcomes),
    }


def table_rows(outcomes: Sequence[Outcome], pictures: int) -> list[dict[str, Any]]:
    """Return the lines of the table."""
    nuclei = [one for one in outcomes if one.kind == "nucleus"]
    controls = [one for one in outcomes if one.kind != "nucleus"]
    kinds = sorted({one.kind for one in controls})
    groups: list[tuple[str, list[Outcome], bool]] = [("nuclei found", nuclei, False)]
    groups += [
        (f"nuclei of {at:g} dB", [one for one in nuclei if round(one.contrast_db) == at], False)
        for at in CONTRASTS_DB
    ]
    groups.append(("controls refused", controls, True))
    groups += [
        (f"kind {kind}", [one for one in controls if one.kind == kind], True) for kind in kinds
    ]
    rows = []
    for what, group, refused in groups:
        row = share_row(what, group, pictures, refused=refused)
        row["found or refused"] = row.pop("refused" if refused else "found")
        rows.append(row)
    return rows


def load_pictures() -> NDArray[np.uint8]:
    """Return the real spectrograms.

    Raises:
        InputError: they are not here, or are no such file.
    """
    folder = os.environ.get("ODM_REAL_DATA")
    path = Path(folder or ".") / FILE
    if not folder or not path.is_file():
        raise InputError(
            f"the real spectrograms are not here: ODM_REAL_DATA is to name a folder with {FILE}"
        )
    try:
        pictures = np.load(path)["image"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: holds no pictures ({error})") from None
    if pictures.dtype != np.uint8 or pictures.ndim != 3:
        raise InputError(f"{path}: image is {pictures.dtype} {pictures.shape}, not uint8 (M, h, w)")
    return pictures


def main() -> None:
    """Plant, search and write ``results/nuclei_real.json``."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="a model folder, a shipped name, or log")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--name", default="nuclei_real", help="of the file of results")
    options = parser.parse_args()
    began = time.monotonic()
    try:
        pictures = load_pictures()
        bench = Bench.open(Running(options.model, options.engine, "cpu", options.precision))
    except OdmError as error:
        sys.exit(str(error))
    search = Search(bench.predict, bench.images, bench.method.regions)
    outcomes: list[Outcome] = []
    regions = []
    with progress("searching", len(pictures), "pictures") as advance:
        for number, picture in enumerate(pictures):
            more, without = search_picture(search, picture, number)
            outcomes += more
            regions.append(without)
            advance(1)
    report(
        options.name,
        table_rows(outcomes, len(pictures)),
        model=options.model,
        digest=bench.digest,
        seed=SEED,
        pictures=len(pictures),
        regions_in_untouched_pictures=sum(regions),
        untouched_pictures_with_regions=int(np.count_nonzero(regions)),
        seconds=round(time.monotonic() - began),
    )


if __name__ == "__main__":
    main()
