"""Leading edges of simulated ionograms: errors in km by method and isolation, and by what else.

    python benchmarks/edges.py --ionograms 200 [--model DETECTOR] [--segmenter SEGMENTER]

Tuned on the ionograms of seeds 71 to 73, 404, 505, 606, 707, 808 and 901 to 904; scored on another.
Simulated data only.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from common import RESULTS, report
from edges_other import ionograms
from edges_parts import against, by_overlap, continuity, ground_truth, inversion_rows, rates
from numpy.typing import NDArray

from odm.core.statement import SIMULATED_DATA
from odm.findings.edges import EdgeSettings, matrix_edges
from odm.findings.layers import Layer
from odm.images.ionogram import IonogramImageSettings, mask_from_canvas, mask_to_canvas
from odm.scoring.ionogram.edges import EdgeErrors, edge_errors, summary
from odm.simulate.ionogram.ionogram import SimulatedIonogram, simulate_ionogram
from odm.simulate.ionogram.recipe import IonogramRecipe

SEED = 303
COMBINATIONS = [(m, i) for m in ("feng", "path") for i in ("raw", "boxes", "segments")]
SNR_BANDS = ("snr", [6, 10, 15, 20, 99])
SHARE_BANDS = ("share", [0, 0.5, 0.7, 0.85, 0.95, 1.01])


@dataclass
class Case:
    """An ionogram with the boxes and segments that its edges are looked for with."""

    one: SimulatedIonogram
    boxes: list[Layer]
    segments: NDArray[np.uint8]

    @property
    def gate_km(self) -> float:
        return self.one.scene.sounder.gate_km


def true_boxes(one: SimulatedIonogram) -> list[Layer]:
    """The box of each layer's mask."""
    found = []
    for layer in one.layers:
        f, g = np.flatnonzero(layer.mask.any(axis=1)), np.flatnonzero(layer.mask.any(axis=0))
        ends = (one.frequency[f[0]], one.frequency[f[-1]], one.group_range[g[0]])
        found.append(Layer(layer.layer, 1.0, *map(float, ends), float(one.group_range[g[-1]])))
    return found


def true_segments(one: SimulatedIonogram) -> NDArray[np.uint8]:
    """(F, R) class of each value; the smaller layer lies on top."""
    segments = np.zeros(one.snr.shape, np.uint8)
    for layer in sorted(one.layers, key=lambda layer: -int(layer.mask.sum())):
        segments[layer.mask] = 1 if layer.layer == "Es" else 2
    return segments


def coarse(case: Case, size: int = 256) -> NDArray[np.uint8]:
    """Segments as a perfect segmenter on a canvas of ``size`` pixels would give them."""
    image = IonogramImageSettings(height=size, width=size)
    axes = (case.one.frequency, case.one.group_range, image)
    found = np.zeros_like(case.segments)
    for kind in (2, 1):
        seen = mask_from_canvas(mask_to_canvas(case.segments == kind, *axes), *axes)
        found[seen > 0] = kind
    return found


def score(
    case: Case,
    settings: EdgeSettings,
    segments: Any = None,
    boxes: Any = None,
    clear: bool = False,
) -> list[EdgeErrors]:
    """Errors of all layers of an ionogram; ``clear``: where no other layer lies upon it."""
    one = case.one
    boxes = case.boxes if boxes is None else boxes
    if not boxes:
        return []
    found = matrix_edges(
        one.snr, one.frequency, one.group_range, boxes, settings,
        segments=case.segments if segments is None else segments,
    )  # fmt: skip
    return [
        edge_errors(
            edge, one.frequency, layer.edge, visible_snr(case, number, clear), case.gate_km,
            layer=layer.layer, what=layer.what, kind=one.scene.kind, name=one.stem,
            ray_model=one.scene.ray_model,
        )
        for number, (edge, layer) in enumerate(zip(found, one.layers, strict=True))
    ]  # fmt: skip


def visible_snr(case: Case, number: int, clear: bool) -> NDArray[np.float64]:
    """(F,) SNR of a true edge; none, if ``clear``, where another layer's mask lies upon it."""
    layer = case.one.layers[number]
    snr = layer.edge_snr.copy()
    if clear:
        gate = np.nan_to_num(layer.edge / case.gate_km).astype(np.intp)
        gate = np.clip(gate, 0, case.one.group_range.size - 1)
        for place, other in enumerate(case.one.layers):
            if place != number:
                snr[other.mask[np.arange(gate.size), gate]] = -np.inf
    return snr


def chosen(edges: Sequence[EdgeErrors], **about: Any) -> list[EdgeErrors]:
    return [one for one in edges if all(one.about[k] == v for k, v in about.items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ionograms", type=int, default=200)
    parser.add_argument("--series", type=int, default=32, help="ionograms of the day")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--model", help="folder of a detector")
    parser.add_argument("--segmenter", help="folder of a segmenter of three classes")
    parser.add_argument("--brief", action="store_true", help="the path method by segments alone")
    parser.add_argument("--out", type=Path, default=RESULTS / "edges")
    options = parser.parse_args()
    cases = simulate(options.seed, options.ionograms)
    scored = {
        f"{method} {way}": [
            errors for case in cases for errors in score(case, EdgeSettings(method, way))
        ]
        for method, way in (COMBINATIONS if not options.brief else [("path", "segments")])
    }
    best = EdgeSettings("path", "segments")
    if not options.brief:
        scored["path segments, 256 pixels"] = [
            errors for case in cases for errors in score(case, best, coarse(case))
        ]
    scored["path segments, clear of others"] = [
        errors for case in cases for errors in score(case, best, clear=True)
    ]
    scored |= predicted(cases, options.model, options.segmenter, options.brief)
    rows = []
    for name, edges in scored.items():
        for layer in ("F", "Es"):
            for kind in ("f", "es", "mixed"):
                some = chosen(edges, layer=layer, kind=kind)
                if some:
                    rows.append({"edges by": name, "layer": layer, "kind": kind} | summary(some))
            rows.append(
                {"edges by": name, "layer": layer, "kind": "all"}
                | summary(chosen(edges, layer=layer))
            )
    columns = list(max(rows, key=len))
    rows = [{column: row.get(column, "") for column in columns} for row in rows]
    chief = scored["path segments"]
    folder: Path = options.out
    folder.mkdir(parents=True, exist_ok=True)
    about = f"{SIMULATED_DATA} Seed {options.seed}, {len(cases)} ionograms; tuned on others."
    if options.brief:
        by_snr, by_share = (bands(chief, *of) for of in (SNR_BANDS, SHARE_BANDS))
        report("edges_brief", rows, about=about, by_snr=by_snr, by_share=by_share)
        pictures(cases, chief, folder)
        return
    ways = [f"{method} {way}" for method, way in COMBINATIONS]
    report(
        "edges",
        rows,
        about=about,
        by_ray_model=[
            {"edges by": name, "ray model": model, "layer": layer} | summary(
                chosen(scored[name], ray_model=model, layer=layer)
            )
            for name in ways
            for model in ("quasi-parabolic", "layered")
            for layer in ("F", "Es")
        ],
        by_snr=[row for name in ways for row in bands(scored[name], *SNR_BANDS, name)],
        by_share=[row for name in ways for row in bands(scored[name], *SHARE_BANDS, name)],
        single_layer_beats_raw=claim(scored),
        by_overlap=by_overlap(cases, score),
        inversion=inversion_rows(cases, ground_truth),
        continuity=continuity(simulate(options.seed, options.series, series=True)),
        other_receiver=against(
            other_receiver(options.seed + 1, options.ionograms // 4), score, chief
        ),
        other_simulator=against(
            [with_truth(one) for one in ionograms(options.seed, options.ionograms // 4)],
            score, chief,
        ),
        rate=rates(cases[:20]),
    )  # fmt: skip
    pictures(cases, chief, folder)


def within(edge: EdgeErrors, name: str, low: float, high: float) -> EdgeErrors:
    """Return the part of an edge whose ``snr`` or ``share`` is from low to below high."""
    values = getattr(edge, name)
    kept = (values >= low) & (values < high)
    parts = {part: getattr(edge, part)[kept] for part in ("error", "sigma", "snr", "share")}
    return replace(edge, **parts)


def bands(
    edges: Sequence[EdgeErrors], name: str, borders: Sequence[float], way: str = "path segments"
) -> list[dict[str, Any]]:
    """Rows for ranges of SNR or of the share of the highest frequency."""
    return [
        {"edges by": way, name: f"{low:g} to {high:g}", "layer": layer}
        | summary([within(edge, name, low, high) for edge in chosen(edges, layer=layer)])
        for low, high in itertools.pairwise(borders)
        for layer in ("F", "Es")
    ]


def claim(scored: dict[str, list[EdgeErrors]]) -> list[dict[str, Any]]:
    """Median error and coverage on mixed ionograms, raw against isolated (the paper's claim)."""
    rows = []
    for method in ("feng", "path"):
        for layer in ("F", "Es"):
            row: dict[str, Any] = {"method": method, "layer": layer}
            for way in ("raw", "boxes", "segments"):
                found = summary(chosen(scored[f"{method} {way}"], layer=layer, kind="mixed"))
                row[f"{way}_median_km"] = found.get("median_km")
                row[f"{way}_within_gate"] = found.get("within_gate")
                row[f"{way}_coverage"] = found.get("coverage")
            rows.append(row)
    return rows


def simulate(seed: int, count: int, series: bool = False) -> list[Case]:
    recipe = IonogramRecipe(seed=seed, series=series)
    return [with_truth(simulate_ionogram(recipe, index)) for index in range(count)]


def with_truth(one: SimulatedIonogram) -> Case:
    return Case(one, true_boxes(one), true_segments(one))


def other_receiver(seed: int, count: int) -> list[Case]:
    """The second ray model with another receiver: more noise of another distribution, a scale of
    half a dB, and a quarter of the power one gate late."""
    recipe = IonogramRecipe(seed=seed, ray_model="layered")
    rng = np.random.default_rng(seed)
    changed = []
    for index in range(count):
        one = simulate_ionogram(recipe, index)
        linear = 10 ** (one.snr / 10)
        tail = 0.75 * linear + 0.25 * np.roll(linear, 1, axis=1)
        tail[:, 0] = linear[:, 0]
        noise = rng.weibull(1.6, linear.shape) * 0.6
        snr = np.round(2 * 10 * np.log10(0.7 * tail + noise)) / 2
        changed.append(with_truth(replace(one, snr=snr.astype(np.float32))))
    return changed


def predicted(
    cases: Sequence[Case], model: str | None, segmenter: str | None, brief: bool = False
) -> dict[str, list[EdgeErrors]]:
    """Edges with a detector's boxes and a segmenter's segments; true layers it misses count."""
    from benchmarks.edges_models import matched_boxes, predicted_segments

    scored: dict[str, list[EdgeErrors]] = {}
    found = [matched_boxes(model, case.one, case.boxes) for case in cases] if model else None
    cut = [predicted_segments(segmenter, case.one) for case in cases] if segmenter else None
    if found is not None and not brief:
        for method in ("feng", "path"):
            settings = EdgeSettings(method, "boxes")
            scored[f"{method} boxes found"] = [
                errors
                for case, boxes in zip(cases, found, strict=True)
                for errors in score(case, settings, boxes=boxes)
            ]
    if cut is not None:
        ways = found or [case.boxes for case in cases]
        settings = EdgeSettings("path", "segments")
        scored["path segments found"] = [
            errors
            for case, boxes, segments in zip(cases, ways, cut, strict=True)
            for errors in score(case, settings, segments, boxes)
        ]
    return scored


def pictures(cases: Sequence[Case], edges: Sequence[EdgeErrors], folder: Path) -> None:
    """The best, the median and the worst case, with truth and edge."""
    from odm.images.pictures.figure import new_figure, write_figure

    named = {case.one.stem: case for case in cases}
    some = [one for one in edges if np.isfinite(one.error).sum() >= 40]
    some.sort(key=lambda one: float(np.nanmean(np.abs(one.error))))
    for name, one in zip(
        ("best", "median", "worst"), (some[0], some[len(some) // 2], some[-1]), strict=True
    ):
        case = named[one.about["name"]]
        found = matrix_edges(
            case.one.snr, case.one.frequency, case.one.group_range, case.boxes,
            EdgeSettings("path", "segments"), segments=case.segments,
        )  # fmt: skip
        figure = new_figure(9, 6)
        axes = figure.add_subplot()
        mhz = case.one.frequency / 1e6
        mesh = axes.pcolormesh(
            mhz, case.one.group_range, case.one.snr.T, vmin=-3, vmax=30, cmap="inferno"
        )
        for layer, edge in zip(case.one.layers, found, strict=True):
            seen = np.where(layer.edge_snr >= 6, layer.edge, np.nan)
            axes.plot(mhz, seen, color="white", lw=2.2, label=f"truth, {layer.what}")
            axes.plot(
                edge.frequency / 1e6, edge.group_range, ".", ms=3, label=f"edge, {edge.layer}"
            )
        axes.legend(loc="upper left", fontsize=8)
        axes.set_xlabel("frequency, MHz")
        axes.set_ylabel("group range, km")
        error = float(np.nanmedian(np.abs(one.error)))
        axes.set_title(
            f"{name}: {one.about['what']} of {one.about['name']}, median error {error:.1f} km",
            fontsize=10, loc="left",
        )  # fmt: skip
        figure.colorbar(mesh, ax=axes, pad=0.01).set_label("SNR, dB")
        write_figure(folder / f"{name}.png", figure)


def as_dataset(one: SimulatedIonogram) -> xr.Dataset:
    """As `odm.open_ionogram` would give it."""
    return xr.Dataset(
        {"snr": (("frequency", "group_range"), one.snr)},
        coords={"frequency": one.frequency, "group_range": one.group_range},
        attrs={"range_convention": "backscatter"},
    )


if __name__ == "__main__":
    started = time.monotonic()
    main()
    print(f"{time.monotonic() - started:.0f} s")
