"""The figures of a `RegionSheet`, from what a `Scorer` counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.catalog.bootstrap import LEAST_BLOCKS, block_weights, interval
from odm.findings.regions import reaches
from odm.scoring.calibration import (
    Reliability,
    fit_level_temperature,
    level_reliability,
    reliability,
)
from odm.scoring.curves import FROC_RATES, Curve, curve, fit_recall, rates, ratio, recall_by_bin
from odm.scoring.matching import OVERLAPS
from odm.scoring.orbit.false_rates import RankedRegions, recall_at_false_rates
from odm.scoring.orbit.sheet import OPEN_END, RegionSheet
from odm.scoring.orbit.tally import (
    ERRORS,
    FOUND,
    NOTHING,
    NUCLEUS,
    PIXEL_SOURCES,
    TRUE,
    TRUTH_SHAPES,
    Tally,
    Tempering,
)
from odm.scoring.pixels import PIXEL_METRICS, pixel_metrics

PAPER_PREVALENCE = 0.036
"""Share of half-orbits with a region in the paper: 402 of about 11,096."""
CONTRAST_EDGES = np.array([0.0, 3, 4, 5, 6, 8, 10, 13, OPEN_END])
"""Edges of bins of contrast in dB."""
AREA_EDGES = np.array([0, 500, 1000, 1500, 2000, 3000, 5000, OPEN_END])
"""Edges of bins of area in pixels."""
SCORED_DATA = "the scored data"
"""What a temperature is said to be from if none was given."""
_CURVE_POINTS = 400
_CONTRAST_RESAMPLES = 200
_ACTIVE = 1 / 15
"""Lower edge of the second bin of reliability: above it, the map says something."""


def summarise(
    tally: Tally,
    threshold: float,
    about: Mapping[str, Any],
    resamples: int,
    tempering: Tempering | None = None,
) -> RegionSheet:
    """Compute a sheet; `Scorer.sheet` says what the arguments are."""
    if not tally.blocks:
        raise ValueError("nothing was scored")
    data = _Data(tally, threshold, resamples)
    curves = {f"{at:g}": data.curve(data.column("contour", at)) for at in OVERLAPS}
    froc = {name: [each.recall_at(rate) for rate in FROC_RATES] for name, each in curves.items()}
    names = ("threshold", "recall", "precision", "false_per_half_orbit")
    return RegionSheet(
        about=dict(about),
        counts={
            "half_orbits": len(tally.blocks),
            "clear": int(data.clear.sum()),
            "nuclei": len(tally.truth),
            "found": int(data.result.sum()),
            "ignored": int((data.result & data.left_out(data.correct[:, 0])).sum()),
            "blocks": data.number,
        },
        threshold=threshold,
        regions=[_regions(data, truth, at) for truth in TRUTH_SHAPES for at in OVERLAPS],
        pixels=_pixels(data),
        curves={name: each.points(*names, most=_CURVE_POINTS) for name, each in curves.items()},
        froc={name: {"rate": list(FROC_RATES), "recall": each} for name, each in froc.items()},
        at_false_rates={f"{at:g}": _at_false_rates(data, at) for at in OVERLAPS},
        campaign=_campaign(data),
        contrast={f"{at:g}": _contrast(data, at) for at in OVERLAPS},
        area=recall_by_bin(data.area, data.recovered[:, 0], AREA_EDGES),
        alarms=_alarms(tally),
        errors=[_error(name, tally.errors[name]) for name in ERRORS],
        boundary=_boundary(tally),
        calibration=_calibration(data, tempering),
        blocks={f"{at:g}": _blocks(data, at) for at in OVERLAPS},
    )


class _Data:
    """A tally as arrays, with weights of blocks for resampling."""

    def __init__(self, tally: Tally, threshold: float, resamples: int) -> None:
        self.tally = tally
        found, truth = np.array(tally.found, FOUND), np.array(tally.truth, TRUE)
        self.clear = np.array(tally.clear, dtype=bool)
        names, self.block = np.unique(tally.blocks, return_inverse=True)
        self.cycles = names.tolist()
        self.number = names.size
        self.found_orbit, self.truth_orbit = found["orbit"], truth["orbit"]
        self.confidence, self.hits, self.correct = (
            found["confidence"],
            found["hit"],
            found["correct"],
        )
        self.ignored = found["ignored"]
        self.result = reaches(found["seed"], threshold)
        self.contrast, self.area, self.recovered = (
            truth["contrast"],
            truth["area"],
            truth["recovered"],
        )
        self.confusion = np.stack([tally.confusion[name] for name in names.tolist()])
        enough = resamples if self.number >= LEAST_BLOCKS else 0
        self.weights = block_weights(self.number, enough)

    def column(self, truth: str, at: float) -> int:
        return TRUTH_SHAPES.index(truth) * len(OVERLAPS) + OVERLAPS.index(at)

    def left_out(self, paired: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which found regions are neither true nor false, given which are true."""
        return self.ignored & ~paired

    def per_block(self, orbits: NDArray[np.intp]) -> NDArray[np.int64]:
        """Count entries, given the half-orbit of each, in every block."""
        return np.bincount(self.block[orbits], minlength=self.number)

    def outcomes(self, column: int) -> tuple[NDArray[np.int64], ...]:
        """Count true, false and missed regions of the result in every block."""
        correct = self.correct[:, column]
        true = self.per_block(self.found_orbit[self.result & correct])
        false = self.per_block(self.found_orbit[self.result & ~correct & ~self.ignored])
        return true, false, self.per_block(self.truth_orbit) - true

    def curve(self, column: int, weights: NDArray[np.int64] | None = None) -> Curve:
        """Return the curve of all half-orbits, or of a resampling."""
        if weights is None:
            truths, orbits = self.truth_orbit.size, self.block.size
            each = np.ones(self.found_orbit.size, np.int64)
        else:
            truths = int(weights @ self.per_block(self.truth_orbit))
            orbits = int(weights @ np.bincount(self.block, minlength=self.number))
            each = weights[self.block[self.found_orbit]]
        hits = self.hits[:, column]
        return curve(self.confidence, hits, truths, orbits, each * ~self.left_out(hits))


def _blocks(data: _Data, at: float) -> dict[str, list[int]]:
    parts = [part.tolist() for part in data.outcomes(data.column("contour", at))]
    return {"cycle": data.cycles, **dict(zip(("true", "false", "missed"), parts, strict=True))}


def _regions(data: _Data, truth: str, at: float) -> dict[str, Any]:
    column = data.column(truth, at)
    parts = data.outcomes(column)
    true, false, missed = (int(part.sum()) for part in parts)
    drawn = [data.weights @ part for part in parts]
    resampled = rates(*drawn)
    whole = data.curve(column)
    best_threshold, best_f1 = whole.best_threshold()
    # The other shapes' average precision has no interval: it costs most, and is read least.
    again = [
        data.curve(column, weights) for weights in (data.weights if truth == "contour" else [])
    ]
    resampled |= {
        "average_precision": np.array([each.average_precision() for each in again]),
        "best_f1": np.array([each.best_threshold()[1] for each in again]),
    }
    return {
        "truth": truth,
        "overlap": at,
        "true": true,
        "false": false,
        "missed": missed,
        **{name: float(value) for name, value in rates(true, false, missed).items()},
        "average_precision": whole.average_precision(),
        "best_threshold": best_threshold,
        "best_f1": best_f1,
        "intervals": {name: interval(values) for name, values in resampled.items()},
        "intervals_90": {name: interval(values, 0.9) for name, values in resampled.items()},
    }


def _pixels(data: _Data) -> list[dict[str, Any]]:
    total = data.confusion.sum(axis=0)
    drawn = np.einsum("rb,bstij->rstij", data.weights, data.confusion)
    rows = []
    for s, source in enumerate(PIXEL_SOURCES):
        for t, truth in enumerate(TRUTH_SHAPES):
            if not total[s, t].any():  # there was no probability map
                continue
            metrics = pixel_metrics(total[s, t])
            resampled = pixel_metrics(drawn[:, s, t])
            intervals = {name: interval(np.asarray(resampled[name])) for name in PIXEL_METRICS}
            rows.append(
                {"source": source, "truth": truth, "metrics": metrics, "intervals": intervals}
            )
    return rows


def _at_false_rates(data: _Data, at: float) -> list[dict[str, Any]]:
    hits = data.hits[:, data.column("contour", at)]
    regions = RankedRegions(
        confidence=data.confidence,
        hit=hits,
        counted=~data.left_out(hits),
        on_clear=data.clear[data.found_orbit],
        block=data.block[data.found_orbit],
        truths=data.per_block(data.truth_orbit),
        clear=data.per_block(np.flatnonzero(data.clear)),
    )
    return recall_at_false_rates(regions, data.weights)


def _campaign(data: _Data) -> dict[str, Any]:
    result, prevalence = data.result, PAPER_PREVALENCE
    on_clear = data.clear[data.found_orbit]
    clear = data.per_block(np.flatnonzero(data.clear))
    false = data.per_block(data.found_orbit[result & on_clear & ~data.ignored])
    per_clear = ratio(false.sum(), clear.sum())
    occupied = int((~data.clear).sum())
    precision = {}
    for at in OVERLAPS:
        hits = data.correct[:, data.column("contour", at)]
        true = np.count_nonzero(result & hits) / occupied if occupied else np.nan
        wrong = result & ~hits & ~data.ignored & ~on_clear
        others = np.count_nonzero(wrong) / occupied if occupied else np.nan
        all_found = prevalence * (true + others) + (1 - prevalence) * float(per_clear)
        precision[f"{at:g}"] = prevalence * true / all_found if all_found else float("nan")
    return {
        "prevalence": prevalence,
        "false_per_100_clear": 100 * float(per_clear),
        "interval": interval(100 * ratio(data.weights @ false, data.weights @ clear)),
        "precision_at_prevalence": precision,
    }


def _contrast(data: _Data, at: float) -> dict[str, Any]:
    found = data.recovered[:, data.column("contour", at)]
    fit = fit_recall(data.contrast, found)
    halves = []
    if fit.half is not None:
        block = data.block[data.truth_orbit]
        for weights in data.weights[:_CONTRAST_RESAMPLES]:
            again = np.repeat(np.arange(block.size), weights[block])
            half = fit_recall(data.contrast[again], found[again]).half
            halves.append(np.nan if half is None else half)
    return {
        "half": fit.half,
        "slope": fit.slope,
        "note": fit.note,
        "interval": interval(np.array(halves)),
        "bins": recall_by_bin(data.contrast, found, CONTRAST_EDGES),
    }


def _alarms(tally: Tally) -> list[dict[str, Any]]:
    kinds = sorted(set(tally.present) | set(tally.alarms) | {NUCLEUS, NOTHING})
    rows = []
    for kind in sorted(kinds, key=lambda kind: (-tally.alarms[kind], kind)):
        drawn = None if kind in (NUCLEUS, NOTHING) else tally.present[kind]
        share = tally.alarms[kind] / drawn if drawn else float("nan")
        rows.append({"kind": kind, "present": drawn, "alarms": tally.alarms[kind], "share": share})
    return rows


def _error(name: str, values: Sequence[float]) -> dict[str, Any]:
    error = np.array(values, dtype=np.float64)
    error = error[np.isfinite(error)]  # a position may be unknown
    figures = dict.fromkeys(("mean", "median", "p90", "largest"), float("nan"))
    if error.size:
        size = np.abs(error)
        p90 = float(np.percentile(size, 90))
        middle, largest = float(np.median(size)), float(size.max())
        figures = {"mean": float(error.mean()), "median": middle, "p90": p90, "largest": largest}
    return {"of": name, "unit": ERRORS[name][2], "count": error.size, **figures}


def _boundary(tally: Tally) -> dict[str, float]:
    distances = np.array(tally.boundary, dtype=np.float64).reshape(-1, 2)
    if not distances.size:
        return {"count": 0, "mean": float("nan"), "p95": float("nan")}
    mean, p95 = distances.mean(axis=0).tolist()
    return {"count": len(distances), "mean": mean, "p95": p95}


def _calibration(data: _Data, tempering: Tempering | None) -> dict[str, Any]:
    levels = data.tally.levels
    if tempering is None:
        chosen = Tempering(fit_level_temperature(levels), SCORED_DATA)
        plain, scaled = (level_reliability(levels, t) for t in (1.0, chosen.temperature))
    else:
        # Dividing the logits by 1 / T again gives what the model said before.
        chosen = tempering
        plain, scaled = (level_reliability(levels, t) for t in (1 / chosen.temperature, 1.0))
    hits = data.hits[:, data.column("contour", OVERLAPS[0])]
    kept = ~data.left_out(hits)
    confidence, right = data.confidence[kept], hits[kept]
    return {
        "temperature": chosen.temperature,
        "fitted_on": chosen.fitted_on,
        "applied": tempering is not None,
        "above": round(_ACTIVE, 4),
        **_reliability(plain),
        "scaled": _reliability(scaled),
        "regions": _reliability(reliability(confidence, ~right, right, bins=10)),
    }


def _reliability(diagram: Reliability) -> dict[str, Any]:
    used = diagram.count > 0
    return {
        "ece": diagram.ece,
        "ece_above": diagram.ece_above(_ACTIVE),
        "bins": {
            name: getattr(diagram, name)[used].tolist()
            for name in ("lower", "upper", "count", "predicted", "observed")
        },
    }
