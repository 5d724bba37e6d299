"""Cells of a comparison of trainings: each is trained, calibrated and scored once, and kept.

A cell is what is trained (`Case`) and a seed, at one budget. All have the data of `simulated`;
their temperature and thresholds are fitted on the validation part, and they are scored on an
archive of another seed. A cell that is done is not repeated: stop and start at will. One that was
made with another case, other settings or other data is: each holds a digest of them. Differences
are paired: both models saw the same half-orbits, and whole 5-day cycles are resampled.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import report
from models import counts
from numpy.typing import NDArray
from simulated import SCORED_SEED, SIZE, TRAINING_SEED, scored_set, training_set

from odm.catalog.bootstrap import block_weights, interval
from odm.core.files import write_bytes
from odm.core.progress import progress
from odm.datasets.orbit import OrbitDataset
from odm.images.masks import MaskKind
from odm.models.networks.segmenters import create_model
from odm.scoring.evaluation import Evaluation, EvaluationSettings, evaluate_model
from odm.training.plans import plan_training, train_here
from odm.training.settings import SegmenterSettings, read_settings

CONFIG = Path(__file__).parent.parent / "configs" / "odm_unet_shipped.yaml"
WITHOUT_LEARNING = ("log", "canny")
OVERLAP = 0.25
RESAMPLES = 10_000


@dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
        architecture: a name of `odm.models`, with its ``options``.
        settings: others than those of the budget.
        size: height and width of the images.
        mask: what the labels are in training; scored are contours.
    """

    architecture: str
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    size: int = SIZE
    mask: MaskKind = "contour"


def main(
    name: str, doc: str, cases: Mapping[str, Case], reference: str, first: int | None = None
) -> None:
    """Run the cells that are left, then compare them with the one called ``reference``.

    Args:
        name: of the report.
        doc: of the command.
        cases: by name.
        reference: what the others are compared with.
        first: so many cases are the default; None for all.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=list(cases), default=list(cases)[:first])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--half-orbits", type=int, default=120, help="of the test")
    parser.add_argument("--work", type=Path, default=Path("runs/cells"))
    parser.add_argument("--report", action="store_true", help="only compare what is there")
    options = parser.parse_args()
    budget = {"epochs": options.epochs, "crop": options.crop, "test": options.half_orbits}
    names = () if options.report else (*options.cases, *WITHOUT_LEARNING)
    data = _Data(options)

    def wanted(one: str, seed: int) -> str:
        return digest_of(cases.get(one), seed, options, data)

    for seed in options.seeds:
        for one in names:
            at = seed if one in cases else 0
            path = _path(options.work, one, at, budget)
            if not is_current(path, wanted(one, at)):
                cell = _cell(one, cases.get(one), seed, options)
                cell |= {"budget": budget, "digest": wanted(one, at)}
                write_bytes(path, json.dumps(cell, indent=1).encode())
    known = [*cases, *WITHOUT_LEARNING]
    done = current_cells(options.work, budget, known, wanted) if data.is_there() else []
    if not done:
        parser.exit(1, f"{options.work}: no cell of this budget, these settings and these data\n")
    report(
        name,
        compare(done, known, reference),
        budget=budget,
        data=f"simulated: trained on seed {TRAINING_SEED}, scored on seed {SCORED_SEED} at the "
        f"simulator's defaults, IoU {OVERLAP:g}; thresholds fitted on validation",
    )


def _path(work: Path, name: str, seed: int, budget: Mapping[str, int]) -> Path:
    words = [name.replace(",", "").replace(" ", "_"), *map(str, budget.values()), f"seed{seed}"]
    return work / "cells" / ("-".join(words) + ".json")


class _Data:
    """Digests of the data sets, each read once.

    Args:
        options: of the command; without ``report`` what is not there is made.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self._known: dict[tuple[int, str], list[str]] = {}

    def is_there(self) -> bool:
        """Whether there is anything that a cell can be compared with."""
        archives = [self.options.work / name / "simulation.json" for name in ("train", "test")]
        return all(path.is_file() for path in archives)

    def __call__(self, size: int, mask: MaskKind) -> list[str]:
        """Of the data for training and validation, and for the test."""
        options = self.options
        if (size, mask) not in self._known:
            places = (
                training_set(options.work, size=size, mask=mask),
                training_set(options.work, size=size),
                scored_set(options.work, "test", options.half_orbits, size=size),
            )
            self._known[size, mask] = [OrbitDataset.load(path).digest for path in places]
        return self._known[size, mask]


def digest_of(
    case: Case | None,
    seed: int,
    options: argparse.Namespace,
    data: Callable[[int, MaskKind], list[str]],
) -> str:
    """SHA-256 of all that decides a cell: the case, its settings in full, and the data.

    Args:
        case: None for a method without learning.
        seed: of the training.
        options: of the command.
        data: digests of the data sets, of a size and a kind of mask.
    """
    content: dict[str, Any] = {"overlap": OVERLAP, "data": data(SIZE, "contour")}
    if case is not None:
        content["case"] = asdict(case)
        content["settings"] = _settings(case, seed, options).digest
        content["data"] = data(case.size, case.mask)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def is_current(path: Path, digest: str) -> bool:
    """Whether a cell is there and is the one that is meant."""
    return path.is_file() and bool(json.loads(path.read_text()).get("digest") == digest)


def current_cells(
    work: Path,
    budget: Mapping[str, int],
    names: Sequence[str],
    wanted: Callable[[str, int], str],
) -> list[dict[str, Any]]:
    """The cells of these names and this budget; those of anything else are left out.

    Args:
        work: the folder.
        budget: of all.
        names: of cases and of methods without learning.
        wanted: the digest of a name and a seed.
    """
    cells = [json.loads(path.read_text()) for path in sorted((work / "cells").glob("*.json"))]
    return [
        cell
        for cell in cells
        if cell["budget"] == budget
        and cell["model"] in names
        and cell.get("digest") == wanted(cell["model"], cell["seed"])
    ]


def _cell(name: str, case: Case | None, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train, if there is something to train, and score."""
    size = case.size if case else SIZE
    scored_on = training_set(options.work, size=size)
    test = scored_set(options.work, "test", options.half_orbits, size=size)
    print(f"\n{name}, seed {seed}", flush=True)
    facts: dict[str, Any] = {"model": name, "seed": seed, "learned": case is not None}
    method: str | Path = name
    if case:
        method, trained = _train(case, seed, options)
        facts |= {**counts(name, case.architecture, dict(case.options)), **trained, "model": name}
        facts["images_per_s"] = _speed(case)
    fitting = EvaluationSettings(validation=scored_on, fit_thresholds=True)
    found = evaluate_model(method, test, fitting, progress)
    return facts | _scores(found)


def _settings(case: Case, seed: int, options: argparse.Namespace) -> SegmenterSettings:
    epochs = options.epochs
    changes = {
        "seed": seed,
        "model.architecture": case.architecture,
        **{f"model.options.{key}": value for key, value in case.options.items()},
        "data.crop": [options.crop, options.crop],
        "schedule.epochs": epochs,
        "schedule.validation_epochs": epochs,
        "schedule.temperature_epochs": max(1, epochs // 4),
        **case.settings,
    }
    return read_settings(CONFIG, [f"{key}={json.dumps(at)}" for key, at in changes.items()])


def _train(case: Case, seed: int, options: argparse.Namespace) -> tuple[Path, dict[str, Any]]:
    settings = _settings(case, seed, options)
    data = training_set(options.work, size=case.size, mask=case.mask)
    plan = plan_training("segmenter", settings, data, options.work / "runs")
    began = time.monotonic()
    result, card = train_here(plan)
    assert card is not None
    return plan.run.model, {"steps": result.step, "train_seconds": time.monotonic() - began}


@torch.no_grad()
def _speed(case: Case, rounds: int = 5) -> float:
    """Images a second, one at a time: the best of some rounds."""
    model = create_model(case.architecture, **case.options).eval()
    model = model.to(memory_format=torch.channels_last)
    image = torch.zeros(1, model.in_channels, case.size, case.size)
    image = image.to(memory_format=torch.channels_last)
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        model(image)
        seconds.append(time.perf_counter() - began)
    return 1 / min(seconds)


def _scores(found: Evaluation) -> dict[str, Any]:
    sheet = found.sheet
    pixels = next(
        entry["metrics"]
        for entry in sheet.pixels
        if (entry["source"], entry["truth"]) == ("probability", "contour")
    )
    region = sheet.score(overlap=OVERLAP)
    return {
        "mean_iou": pixels["mean_iou"],
        "foreground_iou": pixels["foreground_iou"],
        **{name: region[name] for name in ("f1", "precision", "recall", "average_precision")},
        "f1_interval": region["intervals"]["f1"],
        "temperature": found.calibration.temperature,
        "outcomes": sheet.blocks[f"{OVERLAP:g}"],
    }


# -- comparison ----------------------------------------------------------------------------------


def compare(
    cells: Sequence[dict[str, Any]], names: Sequence[str], reference: str
) -> list[dict[str, Any]]:
    """A row for every case that has cells: the mean over its seeds, and against the reference."""
    by_name = {
        name: sorted((c for c in cells if c["model"] == name), key=lambda cell: cell["seed"])
        for name in names
    }
    return [
        _row(name, mine, by_name[reference], reference) for name, mine in by_name.items() if mine
    ]


def _row(
    name: str, mine: list[dict[str, Any]], theirs: list[dict[str, Any]], reference: str
) -> dict[str, Any]:
    first = mine[0]
    low, high = first["f1_interval"] or (float("nan"),) * 2

    def mean(key: str) -> float:
        return round(float(np.mean([cell[key] for cell in mine])), 3)

    return {
        "model": name,
        "M parameters": _rounded(first.get("parameters"), 2, 1e6),
        "GMACs at 256²": _rounded(first.get("gmacs_256"), 2),
        "images/s": _rounded(first.get("images_per_s"), 1),
        "training min": _rounded(first.get("train_seconds"), 1, 60),
        "mIoU": mean("mean_iou"),
        "foreground IoU": mean("foreground_iou"),
        "precision": mean("precision"),
        "recall": mean("recall"),
        "region F1": mean("f1"),
        "95 % of the first seed": f"{low:.2f}-{high:.2f}",
        "seeds": len(mine),
        f"F1 less {reference}": "" if mine is theirs or not theirs else _difference(mine, theirs),
    }


def _rounded(value: float | None, digits: int, unit: float = 1) -> float | str:
    return "" if value is None or np.isnan(value) else round(value / unit, digits)


def _difference(mine: list[dict[str, Any]], reference: list[dict[str, Any]]) -> str:
    """Return the difference in F1 with its 95 % interval; the seeds of each are pooled.

    The interval says how much the half-orbits matter, not how much the seed of a training does: of
    one seed each, a difference is of two trainings, not of two models.
    """
    ours, theirs = _pooled(mine), _pooled(reference)
    weights = block_weights(ours.shape[1], RESAMPLES)
    between = interval(_f1(ours @ weights.T) - _f1(theirs @ weights.T))
    middle = float(_f1(ours.sum(axis=1)) - _f1(theirs.sum(axis=1)))
    return f"{middle:+.3f} [{between[0]:+.3f}, {between[1]:+.3f}]" if between else f"{middle:+.3f}"


def _pooled(cells: list[dict[str, Any]]) -> NDArray[np.float64]:
    """(3, blocks): true, false and missed regions, a mean over the cells."""
    counted = [[cell["outcomes"][name] for name in ("true", "false", "missed")] for cell in cells]
    return np.mean(np.array(counted, dtype=np.float64), axis=0)


def _f1(outcomes: NDArray[np.float64]) -> NDArray[np.float64]:
    true, false, missed = outcomes
    return 2 * true / np.maximum(2 * true + false + missed, 1e-9)
