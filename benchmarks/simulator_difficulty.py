"""Is the simulator too easy? And how fast is it?

1. A method without learning (`odm.models.networks.classical`), its settings tuned on half-orbits of
   one seed and scored on those of another: region F1 at IoU >= 0.25. Goal: at most 0.7.
2. Nuclei against almost-nuclei by coordinates alone (frequency, latitude, dip angle, local time,
   season): cross-validated AUC of nearest neighbours and of a quadratic logistic regression. Goal:
   below 0.6.
3. Half-orbits per second and core.

Prints one table and writes `benchmarks/results/simulator_difficulty.json`:

    python benchmarks/simulator_difficulty.py --half-orbits 96
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime

import cv2
import numpy as np
from common import report
from scipy.spatial import cKDTree

from odm.models.networks.classical import BlobSettings, blob_response, regions_of
from odm.simulate.orbit import groundtrack
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.emission import BINS
from odm.simulate.orbit.half_orbit import simulate_half_orbit
from odm.simulate.orbit.recipe import FAMILIES, OrbitRecipe, OrbitSimulation

START = datetime(2021, 11, 1)
EVERY = 37  # half-orbits apart: spreads few of them over seasons and longitudes
MATCH = 0.25


def half_orbits(seed: int, count: int, difficulty: float, prevalence: float) -> Iterator:
    """Z images (log10 PSD, 1024 x N) with the masks of their nuclei."""
    recipe = OrbitRecipe(seed=seed, prevalence=prevalence, difficulty=difficulty, components="z")
    first = groundtrack.first_half(START)
    for identity in itertools.islice(groundtrack.following(*first, EVERY), count):
        half = simulate_half_orbit(recipe, *identity)
        amplitude = half.amplitude["z"]
        valid = np.where(amplitude > 0, amplitude, np.nan)
        yield half, np.rot90(2 * np.log10(valid)).astype(np.float32), half.masks()


def matches(found: np.ndarray, masks: list[np.ndarray]) -> tuple[int, int]:
    """True positives at `MATCH`, greedily by overlap, and number of regions found."""
    count, labels = cv2.connectedComponents((found > 0).astype(np.uint8), connectivity=8)
    overlaps = []
    sizes = np.bincount(labels.ravel(), minlength=count)
    for index, mask in enumerate(masks):
        inside = np.bincount(labels[mask], minlength=count)
        for label in np.flatnonzero(inside[1:]) + 1:
            union = sizes[label] + mask.sum() - inside[label]
            overlaps.append((inside[label] / union, index, int(label)))
    taken: tuple[set, set] = (set(), set())
    for overlap, index, label in sorted(overlaps, reverse=True):
        if overlap >= MATCH and index not in taken[0] and label not in taken[1]:
            taken[0].add(index)
            taken[1].add(label)
    return len(taken[0]), count - 1


def score(responses: list, settings: BlobSettings) -> dict[str, float]:
    """Region precision, recall and F1 over (response, masks) pairs."""
    hits = found = there = 0
    for response, masks in responses:
        hit, count = matches(regions_of(response.astype(np.float32), settings), masks)
        hits, found, there = hits + hit, found + count, there + len(masks)
    precision, recall = hits / max(found, 1), hits / max(there, 1)
    return {"precision": precision, "recall": recall, "f1": 2 * hits / max(found + there, 1)}


def without_learning(count: int, difficulty: float, prevalence: float) -> dict[str, object]:
    """Tune on one seed, score on another."""
    best: tuple[float, BlobSettings] = (-1.0, BlobSettings())
    filters = [
        BlobSettings(scales=scales, without_streaks=streaks)
        for scales in ((8.0, 12.0, 18.0), (12.0, 18.0, 27.0))
        for streaks in (True, False)
    ]
    tuning = {settings: [] for settings in filters}
    for _, image, masks in half_orbits(101, count, difficulty, prevalence):
        for settings, responses in tuning.items():
            responses.append((blob_response(image, settings).astype(np.float16), masks))
    grid = list(itertools.product((5, 8, 11, 15), (0.35, 0.6), (300, 600), (2, 4)))
    for settings, responses in tuning.items():
        for threshold, outline, area, elongation in grid:
            tried = replace(
                settings, threshold=float(threshold), outline=outline, minimum_area=area,
                maximum_elongation=float(elongation),
            )  # fmt: skip
            best = max(best, (score(responses, tried)["f1"], tried), key=lambda pair: pair[0])
    test = [
        (blob_response(image, best[1]).astype(np.float16), masks)
        for _, image, masks in half_orbits(202, count, difficulty, prevalence)
    ]
    return {"tuned_f1": best[0], **score(test, best[1]), "settings": asdict(best[1])}


def auc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve (Mann-Whitney), ties counted half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive = int(truth.sum())
    rest = len(truth) - positive
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * rest))


def coordinates(seed: int, count: int, difficulty: float, prevalence: float) -> tuple:
    """Standardised coordinates of nuclei and almost-nuclei, and which are nuclei."""
    recipe = OrbitRecipe(seed=seed, prevalence=prevalence, difficulty=difficulty, components="z")
    rows, truth = [], []
    for identity in itertools.islice(
        groundtrack.following(*groundtrack.first_half(START), EVERY), count
    ):
        half = simulate_half_orbit(recipe, *identity)
        track = half.full_track
        month = track.times[0].astype("datetime64[M]").astype(int) % 12
        regions = [(one.emission, True) for one in half.nuclei]
        regions += [(emission, False) for emission in half.confusers if emission.almost]
        for emission, is_nucleus in regions:
            row, bin_ = emission.peak()
            hour = track.local_time[row] / 24 * 2 * np.pi
            season = month / 12 * 2 * np.pi
            rows.append(
                [
                    bin_ / BINS, track.latitude[row], abs(track.latitude[row]), track.dip[row],
                    abs(track.dip[row]), np.sin(hour), np.cos(hour), np.sin(season), np.cos(season),
                ]
            )  # fmt: skip
            truth.append(is_nucleus)
    features = np.array(rows)
    return (features - features.mean(0)) / features.std(0), np.array(truth)


def by_place(features: np.ndarray, truth: np.ndarray, folds: int = 5) -> dict[str, float]:
    """Cross-validated AUC of two classifiers that see only coordinates."""
    fold = np.random.default_rng(0).permutation(len(truth)) % folds
    near, linear = np.zeros(len(truth)), np.zeros(len(truth))
    pairs = itertools.combinations_with_replacement(range(features.shape[1]), 2)
    quadratic = np.column_stack(
        [np.ones(len(truth)), features, *(features[:, i] * features[:, j] for i, j in pairs)]
    )
    for held in range(folds):
        test, train = fold == held, fold != held
        _, index = cKDTree(features[train]).query(features[test], k=min(50, int(train.sum())))
        near[test] = truth[train][index].mean(axis=1)
        weights = np.zeros(quadratic.shape[1])
        design, wanted = quadratic[train], truth[train].astype(float)
        for _ in range(25):  # Newton's method with a little ridge
            chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
            hessian = (design * (chance * (1 - chance))[:, None]).T @ design
            gradient = design.T @ (wanted - chance) - 1.0 * weights
            weights += np.linalg.solve(hessian + np.eye(len(weights)), gradient)
        linear[test] = quadratic[test] @ weights
    return {"auc_neighbours": auc(truth, near), "auc_logistic": auc(truth, linear)}


def rate(count: int) -> dict[str, float]:
    """Half-orbits a second in this one process, files and truth included."""
    with tempfile.TemporaryDirectory() as folder:
        simulate_orbits(f"{folder}/warm", OrbitSimulation(half_orbits=1, seed=1))
        began, cpu = time.perf_counter(), time.process_time()
        simulate_orbits(f"{folder}/a", OrbitSimulation(half_orbits=count, seed=1, prevalence=0.5))
        wall, busy = time.perf_counter() - began, time.process_time() - cpu
    return {"half_orbits_per_second": count / wall, "cpu_seconds_each": busy / count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half-orbits", type=int, default=96)
    parser.add_argument("--difficulty", type=float, default=0.5)
    parser.add_argument("--prevalence", type=float, default=0.5)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    setup = (options.half_orbits, options.difficulty, options.prevalence)
    blobs = without_learning(*setup)
    features, truth = coordinates(303, 4 * options.half_orbits, *setup[1:])
    places = by_place(features, truth)
    speed = rate(12)
    table = [
        ("LoG method, region F1 (other seed)", blobs["f1"], "<= 0.7"),
        ("  its precision", blobs["precision"], ""),
        ("  its recall", blobs["recall"], ""),
        ("  its F1 on the tuning seed", blobs["tuned_f1"], ""),
        (f"coordinates alone, AUC, neighbours (n={len(truth)})", places["auc_neighbours"], "< 0.6"),
        ("coordinates alone, AUC, logistic", places["auc_logistic"], "< 0.6"),
        ("almost-nuclei per nucleus", float((~truth).sum() / truth.sum()), "3-10"),
        ("half-orbits per second, one process", speed["half_orbits_per_second"], "> 2"),
    ]
    rows = [{"what": what, "value": round(value, 3), "goal": goal} for what, value, goal in table]
    report(
        "simulator_difficulty",
        rows,
        about="simulated data only",
        options=vars(options),
        blob=blobs,
        families=FAMILIES,
    )


if __name__ == "__main__":
    main()
