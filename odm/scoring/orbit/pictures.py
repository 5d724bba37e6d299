"""Pictures of a `RegionSheet`: curves, reliability, recall over contrast, and examples.

Examples are the best, the median and the worst half-orbits. Their masks are kept without what is
empty around them, so that every half-orbit of a long archive can be kept until all are ranked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from odm.findings.outlines import Mask, bounding_box
from odm.findings.regions import reaches
from odm.images.pictures.figure import new_figure
from odm.scoring.curves import RecallFit
from odm.scoring.orbit.sheet import RegionSheet
from odm.scoring.orbit.tally import ScoredOrbit, is_ignored
from odm.scoring.sheet import rounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red")
TRUE, FOUND, WRONG = "white", "lime", "red"
CASES = ("best", "median", "worst")


@dataclass(frozen=True, slots=True)
class Patch:
    """A mask (K, N) cut to the rows and columns that hold all of it."""

    rows: slice
    columns: slice
    inside: Mask

    @classmethod
    def of(cls, mask: Mask) -> Patch:
        """Return the patch of a mask."""
        rows, columns = bounding_box(mask)
        return cls(rows, columns, mask[rows, columns].copy())


@dataclass(frozen=True, slots=True)
class Example:
    """One half-orbit for a picture, with what is true and found in it at the threshold.

    Attributes:
        path: its file.
        lines: frequencies of the masks.
        truth, found: the regions.
        pairs: (true, found) that match.
        dice: 2 × shared / (true + found) pixels.
        wrong: pixels that are in one of them only.
        kind: which case it is a picture of; see `CASES`.
    """

    path: str
    lines: int
    truth: Sequence[Patch]
    found: Sequence[Patch]
    pairs: Sequence[tuple[int, int]]
    dice: float
    wrong: int
    kind: str = ""


def example_of(
    path: str, scored: ScoredOrbit, threshold: float, pairs: Sequence[tuple[int, int]]
) -> Example | None:
    """Return a scored half-orbit as an example; None where nothing is true and nothing was found.

    Args:
        path: its file.
        scored: as `Scorer.add` took it.
        threshold: of seeds.
        pairs: as `Scorer.add` gave them.
    """
    paired = {number for _, number in pairs}
    result = [
        number
        for number, region in enumerate(scored.found)
        if reaches(region.seed, threshold)
        and (number in paired or not is_ignored(region.mask, scored.ignored))
    ]
    if not scored.truth and not result:
        return None
    true = union_mask([region.mask for region in scored.truth], scored.shape)
    found = union_mask([scored.found[number].mask for number in result], scored.shape)
    shared = np.count_nonzero(true & found)
    whole = np.count_nonzero(true) + np.count_nonzero(found)
    return Example(
        path=path,
        lines=scored.shape[0],
        truth=[Patch.of(region.mask) for region in scored.truth],
        found=[Patch.of(scored.found[number].mask) for number in result],
        pairs=[(true_region, result.index(number)) for true_region, number in pairs],
        dice=2 * shared / whole,
        wrong=int(whole - 2 * shared),
    )


def union_mask(masks: Sequence[Mask], shape: tuple[int, int]) -> Mask:
    """Return the pixels that are in any of some masks (K, N)."""
    union = np.zeros(shape, dtype=bool)
    for mask in masks:
        union |= mask
    return union


def pick_cases(examples: Sequence[Example], each: int = 3) -> list[Example]:
    """Pick up to ``each`` best, median and worst, in this order, none of them twice.

    They are ranked by Dice, and of equal ones (many have 0) the fewer wrong pixels are the better.
    Where there are few, fewer are picked: what is worst is never shown as the median.
    """
    ranked = sorted(examples, key=lambda example: (-example.dice, example.wrong, example.path))
    each = min(each, max(1, len(ranked) // 3))
    last = max(each, len(ranked) - each)
    middle = max(each, (len(ranked) - each) // 2)
    parts = (ranked[:each], ranked[middle : min(middle + each, last)], ranked[last:])
    return [
        replace(example, kind=kind)
        for kind, part in zip(CASES, parts, strict=True)
        for example in part
    ]


def region_figures(sheet: RegionSheet, examples: Sequence[Example] = ()) -> dict[str, Figure]:
    """Draw ``scores.png`` (four panels) and, with examples, ``examples.png``.

    The latter has a line each of the best, the median and the worst of them.
    """
    figures = {"scores.png": score_figure(sheet)}
    if examples:
        figures["examples.png"] = example_figure(pick_cases(examples))
    return figures


def score_figure(sheet: RegionSheet) -> Figure:
    """Draw precision over recall, FROC, recall over contrast, and reliability, on one page."""
    figure = new_figure(11, 8.5)
    panels = figure.subplots(2, 2)
    _precision_recall(panels[0, 0], sheet)
    _froc(panels[0, 1], sheet)
    _contrast(panels[1, 0], sheet)
    _reliability(panels[1, 1], sheet)
    title = str(sheet.about.get("model") or sheet.about.get("method") or "a method")
    counts = sheet.counts
    figure.suptitle(
        f"{title}: {counts['nuclei']} nuclei on {counts['half_orbits']} half-orbits",
        fontsize=12,
    )
    figure.text(0.5, -0.02, sheet.caveat, ha="center", va="top", fontsize=7, wrap=True)
    return figure


def _precision_recall(axes: Axes, sheet: RegionSheet) -> None:
    for colour, (overlap, curve) in zip(_COLOURS, sheet.curves.items(), strict=False):
        score = sheet.score("contour", float(overlap))
        average, f1 = (rounded(score[name], 2) for name in ("average_precision", "f1"))
        label = f"IoU {overlap}: AP {average}, F1 {f1}"
        # A curve of one point is no line.
        axes.plot(curve["recall"], curve["precision"], ".-", color=colour, label=label)
        axes.plot(score["recall"], score["precision"], "o", color=colour)
    if not any(np.isfinite(curve["recall"]).any() for curve in sheet.curves.values()):
        _say(axes, "nothing was found" if sheet.counts["nuclei"] else "nothing is true")
    axes.plot([], [], "o", color="0.4", label=f"at threshold {sheet.threshold:.2f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    _finish(axes, "regions: precision over recall", "best")


def _finish(axes: Axes, title: str, place: Any, which: Literal["major", "both"] = "major") -> None:
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8, loc=place)
    axes.grid(alpha=0.3, which=which)


def _say(axes: Axes, why: str) -> None:
    """Write why a panel is empty into its middle."""
    axes.text(0.5, 0.5, why, ha="center", va="center", color="0.4", transform=axes.transAxes)


def _froc(axes: Axes, sheet: RegionSheet) -> None:
    shown = False
    for colour, (overlap, curve) in zip(_COLOURS, sheet.curves.items(), strict=False):
        rate, recall = np.array(curve["false_per_half_orbit"]), np.array(curve["recall"])
        seen = (rate > 0) & np.isfinite(recall)
        shown = shown or bool(seen.any())
        axes.semilogx(rate[seen], recall[seen], ".-", color=colour, label=f"IoU {overlap}")
    if not shown:
        _say(axes, "no false region was found" if sheet.counts["nuclei"] else "nothing is true")
    axes.set(xlabel="false regions per half-orbit", ylabel="recall", ylim=(0, 1.02))
    axes.xaxis.set_minor_formatter("")  # names of steps within a decade would overlap
    _finish(axes, "regions: free-response (FROC)", "upper left", which="both")


def _contrast(axes: Axes, sheet: RegionSheet) -> None:
    right = 20.0
    grid = np.linspace(0, right, 200)
    for colour, (overlap, entry) in zip(_COLOURS, sheet.contrast.items(), strict=False):
        bins = entry["bins"]
        middle = [(row["lower"] + min(row["upper"], right)) / 2 for row in bins]
        axes.plot(middle, [row["recall"] for row in bins], "o", color=colour, ms=5)
        half = entry["half"]
        label = f"IoU {overlap}: " + (
            entry["note"] if half is None else f"half found at {half:.1f} dB"
        )
        axes.plot(grid, RecallFit(half, entry["slope"]).recall(grid), color=colour, label=label)
    if not any(entry["bins"] for entry in sheet.contrast.values()):
        _say(axes, "nothing is true, or its contrast is not known")
    axes.set(xlabel="contrast, dB", ylabel="recall", xlim=(0, right), ylim=(-0.02, 1.02))
    _finish(axes, "recall over contrast: bins and logistic fit", "lower right")


def _reliability(axes: Axes, sheet: RegionSheet) -> None:
    calibration = sheet.calibration
    axes.plot([0, 1], [0, 1], color="0.6", lw=1, label="perfect")
    parts: list[tuple[str, dict[str, Any], str]] = []
    if "temperature" in calibration:
        scaled = f"pixels at temperature {calibration['temperature']:.2f}"
        parts += [("pixels", calibration, "o-"), (scaled, calibration["scaled"], "s--")]
    parts.append(("regions: share that is true", calibration["regions"], "^-"))
    for colour, (label, part, style) in zip(_COLOURS, parts, strict=False):
        bins = part["bins"]
        if bins["count"]:
            text = f"{label} (ECE {rounded(part['ece'])})"
            axes.plot(bins["predicted"], bins["observed"], style, color=colour, ms=4, label=text)
    if not any(part["bins"]["count"] for _, part, _ in parts):
        _say(axes, "nothing was found")
    axes.set(xlabel="predicted", ylabel="observed", xlim=(0, 1), ylim=(0, 1))
    _finish(axes, "reliability", "upper left")


def example_figure(examples: Sequence[Example]) -> Figure:
    """Draw half-orbits with outlines: truth white, found green, false red; 0 to 16 kHz."""
    columns = 3
    lines = -(-len(examples) // columns)
    figure = new_figure(5 * columns, 3.4 * lines)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, example in zip(panels, examples, strict=False):
        _example(axes, example)
    for axes in panels[len(examples) :]:
        axes.set_axis_off()
    handles = panels[0]
    for colour, name in ((TRUE, "truth"), (FOUND, "found, true"), (WRONG, "found, false")):
        handles.plot([], [], color=colour, label=name)
    handles.legend(fontsize=7, facecolor="0.3", labelcolor="white", loc="upper right")
    return figure


def _example(axes: Axes, example: Example) -> None:
    from odm.archive.orbit.reader import read_orbit

    orbit = read_orbit(example.path, "z")
    with np.errstate(divide="ignore"):
        spectrogram = np.rot90(np.log10(orbit.psd("z")))
    low, high = np.nanpercentile(spectrogram, (2, 99.7))
    top = orbit.frequency[-1] / 1e3
    extent = (-0.5, orbit.times.size - 0.5, orbit.frequency[0] / 1e3, top)
    axes.set_facecolor("0.85")  # what is missing
    axes.imshow(
        spectrogram, extent=extent, aspect="auto", vmin=low, vmax=high, cmap="magma",
        interpolation="nearest",
    )  # fmt: skip
    paired = {found for _, found in example.pairs}
    step = (top - extent[2]) / example.lines
    for number, patch in enumerate(example.found):
        _outline(axes, patch, top, step, FOUND if number in paired else WRONG, 1.0)
    for patch in example.truth:
        _outline(axes, patch, top, step, TRUE, 0.8)
    ticks = np.linspace(0, orbit.times.size - 1, 5).astype(int)
    axes.set_xticks(ticks, [_degrees(orbit.latitude[row]) for row in ticks], fontsize=7)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_ylim(0, min(16.0, top))
    axes.set_ylabel("kHz", fontsize=7)
    name = orbit.key.identity if orbit.key else example.path
    kind = f"{example.kind}, Dice {example.dice:.2f}: " if example.kind else ""
    axes.set_title(f"{kind}{name} {orbit.times[0].astype('datetime64[m]')}", fontsize=8)


def _degrees(latitude: float) -> str:
    if not np.isfinite(latitude):
        return "?"
    return f"{abs(latitude):.0f}°{'N' if latitude >= 0 else 'S'}"


def _outline(axes: Axes, patch: Patch, top: float, step: float, colour: str, width: float) -> None:
    lines, columns = patch.rows, patch.columns
    x = np.arange(columns.start - 1, columns.stop + 1)
    y = top - (np.arange(lines.start - 1, lines.stop + 1) + 0.5) * step
    inside = np.pad(patch.inside, 1).astype(np.float32)
    axes.contour(x, y, inside, levels=[0.5], colors=colour, linewidths=width)
