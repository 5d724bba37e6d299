"""Parts of the benchmark of edges: boxes that are off, inversion, a day, another sounder, rates."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from edges_models import overlap
from numpy.typing import NDArray
from scipy import ndimage

from odm.core.threads import one_thread
from odm.findings.edges import EdgeSettings, matrix_edges
from odm.findings.inversion import invert
from odm.findings.layers import Layer
from odm.physics.raytrace import Rays
from odm.scoring.ionogram.edges import EdgeErrors, summary
from odm.simulate.ionogram.backscatter import FREQUENCY_MHZ, layer_rays

BEST = EdgeSettings("path", "segments")
GOOD_KM = 10.0


def jittered(box: Layer, amount: float, rng: np.random.Generator) -> Layer:
    """A box each of whose sides is off by up to a share of its size."""
    f, r = box.frequency_max - box.frequency_min, box.range_max - box.range_min
    a, b, c, d = rng.uniform(-amount, amount, 4)
    return replace(
        box,
        frequency_min=box.frequency_min + a * f,
        frequency_max=box.frequency_max + b * f,
        range_min=max(box.range_min + c * r, 0.0),
        range_max=box.range_max + d * r,
    )


def by_overlap(
    cases: Sequence[Any], score: Callable[..., list[EdgeErrors]]
) -> list[dict[str, Any]]:
    """Edge errors against the IoU of boxes that are off: of the box method."""
    rng = np.random.default_rng(7)
    found: list[tuple[float, EdgeErrors]] = []
    for case in cases[:60]:
        for amount in (0.05, 0.15, 0.3):
            boxes = [jittered(box, amount, rng) for box in case.boxes]
            errors = score(case, EdgeSettings("path", "boxes"), boxes=boxes)
            pairs = zip(case.boxes, boxes, strict=True)
            found += zip([overlap(*pair) for pair in pairs], errors, strict=False)
    borders = (0.0, 0.25, 0.5, 0.75, 0.9, 1.01)
    return [
        {"box IoU": f"{low:g} to {high:g}"}
        | summary([errors for iou, errors in found if low <= iou < high])
        for low, high in itertools.pairwise(borders)
    ]


def ground_of_least(rays: Rays) -> NDArray[np.float64]:
    """Return the ground range (F,) in km of the ray of least group path.

    The rays (F, E) are in order of elevation. Around its least the path hardly depends on the
    elevation, and the ground range does: the least is taken between the grid's rays.
    """
    path = np.where(np.isnan(rays.group_path), np.inf, rays.group_path)
    best = np.clip(path.argmin(axis=1), 1, path.shape[1] - 2)
    rows = np.arange(path.shape[0])
    before, here, after = (path[rows, best + step] for step in (-1, 0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        bend = before + after - 2 * here
        usable = np.isfinite(bend) & (bend > 0)
        step = np.where(usable, np.clip(0.5 * (before - after) / bend, -1, 1), 0.0)
    towards = np.where(step < 0, best - 1, best + 1)
    ground = rays.ground_range[rows, best]
    beside = rays.ground_range[rows, towards]
    return np.asarray(np.where(usable, ground + np.abs(step) * (beside - ground), ground))


def ground_truth(case: Any) -> NDArray[np.float64]:
    """(F,) ground range in km of the F layer's ray of least group path."""
    rays = layer_rays(case.one.scene)
    return ground_of_least(rays)[-FREQUENCY_MHZ.size :]


def inversion_rows(
    cases: Sequence[Any], ground: Callable[[Any], NDArray[np.float64]]
) -> list[dict[str, Any]]:
    """Errors of inverted critical frequency and height, and of ground range (F)."""
    off: dict[tuple[str, str], list[tuple[float, float]]] = {}
    landed: dict[str, list[float]] = {}
    refused: dict[tuple[str, str], int] = {}
    for case in cases[:80]:
        if not case.boxes:
            continue
        one = case.one
        edges = matrix_edges(
            one.snr, one.frequency, one.group_range, case.boxes, BEST, segments=case.segments
        )
        for edge, layer in zip(edges, one.layers, strict=True):
            if layer.what not in ("F", "local Es"):
                continue
            key = (layer.what, one.scene.ray_model)
            layer_found = invert(edge)
            if not layer_found:
                refused[key] = refused.get(key, 0) + 1
                continue
            f, es = one.scene.f, one.scene.es
            true = (
                (f.critical_mhz, f.peak_km)
                if layer.what == "F"
                else (es.critical_mhz, es.height_km)
            )
            pair = (
                layer_found.critical_frequency / 1e6 - true[0],
                layer_found.peak_height - true[1],
            )
            off.setdefault(key, []).append(pair)
            if layer.what == "F":
                at = np.searchsorted(one.frequency, layer_found.frequency)
                error = layer_found.ground_range - ground(case)[at]
                seen = layer.edge_snr[at] >= 6
                landed.setdefault(one.scene.ray_model, []).extend(error[seen & np.isfinite(error)])
    rows = []
    for key, pairs in off.items():
        critical, height = np.abs(np.array(pairs)).T
        row: dict[str, Any] = {
            "layer": key[0],
            "ray model": key[1],
            "inverted": len(pairs),
            "refused": refused.get(key, 0),
            "critical_median_mhz": round(float(np.median(critical)), 3),
            "height_median_km": round(float(np.median(height)), 1),
            "height_within_10_km": round(float((height <= GOOD_KM).mean()), 3),
        }
        if key[0] == "F":
            ground_off = np.abs(np.array(landed[key[1]]))
            row["ground_median_km"] = round(float(np.median(ground_off)), 1)
            row["ground_p95_km"] = round(float(np.percentile(ground_off, 95)), 1)
            row["ground_within_10_km"] = round(float((ground_off <= GOOD_KM).mean()), 3)
        rows.append(row)
    return rows


def continuity(cases: Sequence[Any]) -> list[dict[str, Any]]:
    """How the edge moves from one ionogram of a day to the next, against how the true one does."""
    rows = []
    for layer in ("F", "Es"):
        found: list[float] = []
        true: list[float] = []
        before: tuple[Any, Any] | None = None
        for case in cases:
            one = case.one
            names = [each.layer for each in one.layers]
            if names.count(layer) != 1:
                before = None
                continue
            at = names.index(layer)
            edge = matrix_edges(
                one.snr, one.frequency, one.group_range, case.boxes, BEST, segments=case.segments
            )[at]
            values = np.full(one.frequency.size, np.nan)
            values[np.searchsorted(one.frequency, edge.frequency)] = edge.group_range
            known = np.where(one.layers[at].edge_snr >= 6, one.layers[at].edge, np.nan)
            if before is not None:
                step, real = values - before[0], known - before[1]
                both = np.isfinite(step) & np.isfinite(real)
                found += np.abs(step[both]).tolist()
                true += np.abs(step - real)[both].tolist()
            before = (values, known)
        if found:
            rows.append(
                {
                    "layer": layer,
                    "points": len(found),
                    "step_median_km": round(statistics.median(found), 1),
                    "step_error_median_km": round(statistics.median(true), 1),
                    "step_error_p95_km": round(float(np.percentile(true, 95)), 1),
                }
            )
    return rows


def against(
    cases: Sequence[Any], score: Callable[..., list[EdgeErrors]], chief: Sequence[EdgeErrors]
) -> list[dict[str, Any]]:
    """The best method on other ionograms, against the table's errors."""
    edges = [errors for case in cases for errors in score(case, BEST)]
    rows = []
    for layer in ("F", "Es"):
        here = summary([one for one in edges if one.about["layer"] == layer])
        there = summary([one for one in chief if one.about["layer"] == layer])
        if "median_km" in here and "median_km" in there:
            ratios = {
                f"{what}_ratio": round(here[f"{what}_km"] / there[f"{what}_km"], 2)
                for what in ("median", "mean", "p95")
            }
            rows.append({"layer": layer} | ratios | here)
    return rows


def rates(cases: Sequence[Any]) -> list[dict[str, Any]]:
    """Ionograms a second on one core, beside a plain script that takes one gate after another."""
    rows = []
    usable = [case for case in cases if case.boxes]

    def run(settings: EdgeSettings) -> None:
        for case in usable:
            one = case.one
            matrix_edges(
                one.snr, one.frequency, one.group_range, case.boxes, settings,
                segments=case.segments,
            )  # fmt: skip

    def plain_run() -> None:
        for case in usable:
            for box in case.boxes:
                plain(case.one, box)

    ways: list[tuple[str, Callable[[], None]]] = [
        ("path segments", lambda: run(BEST)),
        ("path boxes", lambda: run(EdgeSettings("path", "boxes"))),
        ("feng boxes", lambda: run(EdgeSettings("feng", "boxes"))),
        ("plain script", plain_run),
    ]
    for name, way in ways:
        taken = []
        for _ in range(3):
            started = time.process_time()
            with one_thread():
                way()
            taken.append(time.process_time() - started)
        rate = len(usable) / min(taken)
        rows.append({"edges by": name, "ionograms_per_cpu_second": round(rate, 1)})
    return rows


def plain(one: Any, box: Layer) -> list[tuple[float, float]]:
    """What a script would do: smooth, then in each column the first gate 6 dB above its median."""
    smooth = ndimage.median_filter(np.nan_to_num(one.snr), 3)
    found = []
    for column in range(one.frequency.size):
        if not box.frequency_min <= one.frequency[column] <= box.frequency_max:
            continue
        noise = np.median(smooth[column])
        for gate in range(one.group_range.size):
            inside = box.range_min <= one.group_range[gate] <= box.range_max
            if inside and smooth[column, gate] > noise + 6:
                found.append((float(one.frequency[column]), float(one.group_range[gate])))
                break
    x = np.array([f for f, _ in found])
    if x.size > 6:
        scaled = (x - x.mean()) / max(x.std(), 1.0)
        line = np.polyval(np.polyfit(scaled, [r for _, r in found], 4), scaled)
        found = list(zip(x.tolist(), line.tolist(), strict=True))
    return found
