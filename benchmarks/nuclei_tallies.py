"""Score a set in processes, a few half-orbits at a time, and keep what was counted as JSON."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nuclei_drawn import DrawnOrbit, Predict, score_drawn
from nuclei_sets import DrawnSet, NucleiTests
from nuclei_transforms import transformed

import odm.simulate.orbit
from odm.archive.orbit.key import Direction
from odm.core.cache import EXPORTS, user_cache
from odm.core.files import write_bytes
from odm.images.geometry import OrbitImageSettings
from odm.scoring.orbit.methods import SegmentationMethod, open_method
from odm.scoring.orbit.scorer import Scorer
from odm.scoring.orbit.tally import Tally
from odm.simulate.orbit.half_orbit import simulate_half_orbit

BATCH = 4
CHUNK = 8
"""Half-orbits that a process draws and scores before it hands over what it has counted."""
QUICK = 10
"""A quick score takes each half-orbit of this many."""
LOG_IMAGES = OrbitImageSettings(-8.995, -6.695)
"""Images of methods without learning: native, with the limits that the first shipped model has."""

HalfOrbitName = tuple[int, Direction]


@dataclass(frozen=True)
class Running:
    """A model and how it is run: small, so that it can be sent to a process.

    Attributes:
        model: a model folder, the name of a shipped model, or of a method without learning.
        engine, device, precision: see `odm.models.predictor.Predictor`.
    """

    model: str
    engine: str = "auto"
    device: str = "cpu"
    precision: str = "float32"


@dataclass(frozen=True)
class Bench:
    """A model that is ready to be scored.

    Attributes:
        method: with its settings of regions.
        predict: gives its maps.
        images: what it sees.
    """

    method: SegmentationMethod
    predict: Predict
    images: OrbitImageSettings

    @classmethod
    def open(cls, running: Running) -> Bench:
        """Open a model.

        Raises:
            InputError: there is no such model, or it cannot be run so.
        """
        from odm.models.predictor import Predictor

        method = open_method(running.model)
        predictor = Predictor(
            method.segmenter,
            batch=BATCH,
            engine=running.engine,
            device=running.device,
            precision="bfloat16" if running.precision == "bfloat16" else "float32",
            temperature=method.temperature or 1.0,
            exports=user_cache(EXPORTS),
            digest=None if method.card is None else method.card.digest,
        )
        return cls(method, predictor, method.image or LOG_IMAGES)

    @property
    def digest(self) -> str:
        """Names the model: the digest of its card, or the name of a method without one."""
        return self.method.name if self.method.card is None else self.method.card.digest


def tally_of(
    bench: Bench, tests: NucleiTests, drawn: DrawnSet, half_orbits: Sequence[HalfOrbitName]
) -> Tally:
    """Draw half-orbits of a set and score them."""
    recipe = tests.sets[drawn.name].recipe()
    settings = bench.method.regions
    scorer = Scorer(settings.threshold)
    for batch in in_parts(half_orbits, BATCH):
        orbits = [
            transformed(
                DrawnOrbit.of(simulate_half_orbit(recipe, *name)), drawn.transform, recipe.seed
            )
            for name in batch
        ]
        for scored in score_drawn(orbits, bench.predict, bench.images, settings):
            scorer.add(scored)
    return scorer.tally


class TallyKeeper:
    """Scores sets of one model, and keeps each of them in a folder.

    Args:
        running: the model.
        tests: all sets.
        folder: where tallies are kept.
        quick: score a tenth.
        workers: processes.
    """

    def __init__(
        self, running: Running, tests: NucleiTests, folder: Path, *, quick: bool, workers: int
    ) -> None:
        self.running, self.tests, self.folder = running, tests, folder
        self.quick, self.workers = quick, workers
        self.bench = Bench.open(running)

    def half_orbits(self, drawn: DrawnSet) -> list[HalfOrbitName]:
        """Return the half-orbits that are scored of a set."""
        return self.tests.half_orbits(drawn.name)[:: QUICK if self.quick else 1]

    def kept(self, drawn: DrawnSet) -> Tally | None:
        """Return what was counted earlier of the same set, model, settings and code; else None."""
        try:
            content = json.loads(self._path(drawn).read_text())
        except (OSError, ValueError):
            return None
        return tally_from(content["tally"]) if content["digest"] == self._digest(drawn) else None

    def score(self, drawn: DrawnSet, advance: Callable[[int], object]) -> Tally:
        """Score a set and keep it; ``advance`` hears of every few half-orbits."""
        tally = Tally()
        for part, number in self._parts(drawn):
            tally.extend(part)
            advance(number)
        content = {"digest": self._digest(drawn), "tally": plain_tally(tally)}
        write_bytes(self._path(drawn), json.dumps(content).encode())
        return tally

    def _parts(self, drawn: DrawnSet) -> Iterator[tuple[Tally, int]]:
        chunks = in_parts(self.half_orbits(drawn), CHUNK)
        if self.workers == 1:
            for chunk in chunks:
                yield tally_of(self.bench, self.tests, drawn, chunk), len(chunk)
            return
        context = multiprocessing.get_context("spawn")
        with context.Pool(self.workers, _start, (self.running, self.tests)) as pool:
            jobs = [(drawn, chunk) for chunk in chunks]
            for chunk, part in zip(chunks, pool.imap(_score, jobs), strict=True):
                yield part, len(chunk)

    def _path(self, drawn: DrawnSet) -> Path:
        quick = "-quick" if self.quick else ""
        return self.folder / f"{self.bench.digest[:16]}-{drawn.stem}{quick}.json"

    def _digest(self, drawn: DrawnSet) -> str:
        method, one = self.bench.method, self.tests.sets[drawn.name]
        facts = {
            "model": self.bench.digest,
            "temperature": method.temperature,
            "regions": method.regions.to_dict(),
            "set": one.model_dump(mode="json"),
            "transform": drawn.transform,
            "half_orbits": [(n, d.digit) for n, d in self.half_orbits(drawn)],
            "running": asdict(self.running) | {"model": ""},
            "code": code_digest(),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def in_parts(names: Sequence[HalfOrbitName], size: int) -> list[list[HalfOrbitName]]:
    """Return a list in parts of at most ``size``."""
    return [list(names[first : first + size]) for first in range(0, len(names), size)]


_bench: dict[str, Any] = {}
"""What a process of the pool has opened."""


def _start(running: Running, tests: NucleiTests) -> None:
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _bench.update(bench=Bench.open(running), tests=tests)


def _score(job: tuple[DrawnSet, list[HalfOrbitName]]) -> Tally:
    return tally_of(_bench["bench"], _bench["tests"], *job)


def code_digest() -> str:
    """SHA-256 of the code that draws and disturbs half-orbits: another sky voids what is kept."""
    here = Path(__file__).parent
    sources = [here / "nuclei_drawn.py", here / "nuclei_transforms.py"]
    for folder in odm.simulate.orbit.__path__:
        sources += sorted(Path(folder).rglob("*.py"))
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


def plain_tally(tally: Tally) -> dict[str, Any]:
    """Return a tally as JSON can hold it."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    return {
        **{name: plain(getattr(tally, name)) for name in ("blocks", "clear", "boundary")},
        "found": [plain(row) for row in tally.found],
        "truth": [plain(row) for row in tally.truth],
        "errors": {name: plain(values) for name, values in tally.errors.items()},
        "present": dict(tally.present),
        "alarms": dict(tally.alarms),
        "confusion": {str(block): plain(counts) for block, counts in tally.confusion.items()},
        "levels": plain(tally.levels),
    }


def tally_from(content: dict[str, Any]) -> Tally:
    """Return the tally of `plain_tally`."""
    return Tally(
        blocks=content["blocks"],
        clear=content["clear"],
        found=[tuple(row) for row in content["found"]],
        truth=[tuple(row) for row in content["truth"]],
        errors=content["errors"],
        boundary=[(mean, p95) for mean, p95 in content["boundary"]],
        present=Counter(content["present"]),
        alarms=Counter(content["alarms"]),
        confusion={
            int(block): np.array(counts, np.int64) for block, counts in content["confusion"].items()
        },
        levels=np.array(content["levels"], np.int64),
    )
