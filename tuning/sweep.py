"""A sweep from its settings to its last trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optuna.distributions import IntDistribution

from odm.core.errors import InputError
from odm.training.launch import Launch
from odm.training.settings import TrainingSettings
from odm.training.task import build_model
from tuning.board import Board
from tuning.folder import Sweep, SweepFolder
from tuning.objectives import objectives_of
from tuning.spaces import IMAGE_SIZE, Space, Task
from tuning.stopping import Rule
from tuning.study import CUTS, Asked, Ledger
from tuning.trial import Job, reason_of

BEST_FEW = 3
"""So many of the best are repeated with other seeds."""


@dataclass(frozen=True)
class Where:
    """Where trials run.

    Attributes:
        local: in this process, one after the other, without Ray.
        workers: of a trial; more than 1 launches Ray Train.
        cpus, gpus: of a trial, or of each of its workers; None for what fits.
        concurrent: trials at once; None for as many as there is room for.
        address: of a cluster; None for that of the environment, else one on this machine.
        wait_s: for room, in seconds.
    """

    local: bool = False
    workers: int = 1
    cpus: int | None = None
    gpus: float | None = None
    concurrent: int | None = None
    address: str | None = None
    wait_s: float = 600.0

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InputError(f"--workers {self.workers}: give 1 or more")
        if self.concurrent is not None and self.concurrent < 1:
            raise InputError(f"--concurrent {self.concurrent}: give 1 or more")
        if self.cpus is not None and self.cpus < 1:
            raise InputError(f"--cpus {self.cpus}: give 1 or more")
        if self.gpus is not None and (
            self.gpus < 0 or (self.gpus > 1 and self.gpus != int(self.gpus))
        ):
            raise InputError(f"--gpus {self.gpus:g}: give a share of one, or a whole number")
        if self.workers > 1 and self.gpus not in (None, 0, 1):
            raise InputError("--gpus: each of several workers has a whole GPU or none")
        if self.local and replace(self, local=False) != Where(wait_s=self.wait_s):
            raise InputError("workers, CPUs, GPUs, concurrency and address are Ray's: not --local")

    @property
    def launch(self) -> Launch:
        """Of the workers of a trial."""
        gpu = None if self.gpus is None else self.gpus > 0
        return Launch(self.workers, self.cpus or 1, gpu, self.address, wait_s=self.wait_s)


def plan_sweep(
    task: Task,
    base: TrainingSettings,
    space: Space,
    data: Path,
    *,
    objectives: tuple[str, ...] = (),
    rule: Rule | None = None,
    seed: int = 0,
    full_epochs: int | None = None,
) -> tuple[Sweep, Any]:
    """Check a sweep, and name it.

    Args:
        task: segmenter or detector.
        base: settings of what is not searched.
        space: what is.
        data: a ``dataset.yaml``.
        objectives: names; the task's own if empty.
        rule: for stopping early.
        seed: of the search.
        full_epochs: of a training at full length; None for those of ``base``.

    Returns:
        The sweep, and the opened data set.

    Raises:
        InputError: something that cannot be meant, or a model that cannot be built.
        TrainingError: the data set has nothing to learn from.
    """
    space.check(base)
    _check_models(task, base, space)
    dataset = open_dataset(task, data)
    for part in ("train", "validation"):
        dataset.samples(part)
    sweep = Sweep(
        task,
        space,
        str(data.expanduser().resolve()),
        dataset.digest,
        base.model_dump(mode="json"),
        tuple(one.name for one in objectives_of(task, objectives)),
        rule or Rule(),
        seed,
        full_epochs or base.schedule.epochs,
        annotations_from=dataset.annotations.source,
    )
    return sweep, dataset


def _check_models(task: Task, base: TrainingSettings, space: Space) -> None:
    """Build each model once, a third of a second each: one that cannot be built would fail in some
    trial, hours later."""
    for what, settings in space.models(base):
        try:
            build_model(task, settings)
        except (InputError, RuntimeError, ValueError, MemoryError) as error:
            if isinstance(error, InputError) and not what:
                raise
            raise InputError(f"{what or 'the model'}: {reason_of(error)}") from None


def run_sweep(
    folder: SweepFolder,
    sweep: Sweep,
    dataset: Any,
    trials: int,
    where: Where,
    *,
    repeats: int = 0,
    say: Callable[[str], None] = print,
) -> Ledger:
    """Run a sweep, or go on with it.

    Args:
        folder: of the sweep.
        sweep: what it is.
        dataset: opened.
        trials: in all, those of earlier times included.
        where: they run.
        repeats: other seeds with which each of the best few is trained once more.
        say: hears what the user should know.

    Returns:
        The study.

    Raises:
        OdmError: one sentence on what is wrong.
    """
    with folder.driven(sweep):
        ledger = Ledger(
            folder.journal,
            folder.name,
            sweep.looked_for,
            sweep.space.distributions,
            seed=sweep.seed,
            rule=sweep.rule,
        )
        orphans = ledger.adopt_orphans(CUTS if where.local else None)
        before = ledger.counts().finished
        if before or orphans:
            say(f"going on: trials finished {before}, cut off and begun again {orphans}")
        job = make_job(folder, sweep, dataset)
        with _Machinery(job, where) as machinery:
            machinery.run(ledger, trials, "sweep")
            if repeats:
                _repeat(folder, sweep, job, ledger, repeats, machinery)
        ledger.best()
    return ledger


def make_job(folder: SweepFolder, sweep: Sweep, dataset: Any) -> Job:
    """What all trials have in common."""
    datasets = {
        size: dataset if size is None else _resized(folder, sweep, dataset, size)
        for size in sweep.space.image_sizes
    }
    return Job(sweep.task, sweep.settings, datasets, sweep.looked_for, folder.path)


def data_of(folder: SweepFolder, sweep: Sweep, values: Mapping[str, Any]) -> Path:
    """The data set that a trial was trained on."""
    size = values.get(IMAGE_SIZE)
    return Path(sweep.data) if size is None else folder.path / "datasets" / f"{size}.yaml"


def _repeat(
    folder: SweepFolder,
    sweep: Sweep,
    job: Job,
    ledger: Ledger,
    repeats: int,
    machinery: _Machinery,
) -> None:
    """Train the best few again, with other seeds: how much of a difference is chance."""
    wide = IntDistribution(0, 10**9)
    again = Ledger(folder.journal, folder.seeds_study, sweep.looked_for, {"of": wide, "seed": wide})
    again.adopt_orphans(CUTS if machinery.where.local else None)
    there = [one.user_attrs["queued"] for one in again.trials]
    for best in ledger.ranked()[:BEST_FEW]:
        for seed in range(sweep.settings.seed + 1, sweep.settings.seed + 1 + repeats):
            values = {"of": best.number, "seed": seed}
            if values not in there:
                again.queue(values)
    params = {one.number: one.params for one in ledger.trials}
    total = len(again.trials)
    machinery.run(again, total, "other seeds", kind="seeds", params=params)


class _Machinery:
    """Ray or this process, with the samples; begun when the first trial is to be run."""

    def __init__(self, job: Job, where: Where) -> None:
        self.job, self.where = job, where
        self._inner: Any = None
        self._close: Callable[[], None] = lambda: None

    def __enter__(self) -> _Machinery:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def run(
        self,
        ledger: Ledger,
        total: int,
        what: str,
        *,
        kind: str = "trials",
        params: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> None:
        """Run trials until so many have been tried."""
        if ledger.counts().finished >= total:
            return
        if self._inner is None:
            self._inner = self._begin_here() if self.where.local else self._begin_on_ray()
        job = replace(self.job, kind=kind, params=params)
        with closing(Board(ledger, total, what)) as board:
            self._inner(ledger, job, total, board)

    def _begin_here(self) -> Callable[..., None]:
        from tuning.runners.local import run_here, sources_here

        sources = sources_here(self.job, self._plans())
        return lambda ledger, job, total, board: run_here(ledger, job, total, sources, board)

    def _begin_on_ray(self) -> Callable[..., None]:
        from contextlib import ExitStack

        from tuning.runners.connect import connected, held_samples
        from tuning.runners.ray import run_on_ray

        stack = ExitStack()
        self._close = stack.close
        cluster, room = stack.enter_context(connected(self.where, self.job))
        sources = held_samples(cluster, self._plans(), self.where.wait_s)

        def run(ledger: Ledger, job: Job, total: int, board: Board) -> None:
            job = replace(job, threads=room.cpus)
            run_on_ray(cluster, ledger, job, total, sources, room, board)

        return run

    def _plans(self) -> dict[int | None, Any]:
        """Any one plan by size of image: its samples are those of all."""
        names = self.job.datasets
        return {
            size: self.job.plan_of(Asked(0, {} if size is None else {IMAGE_SIZE: size}, 0))
            for size in names
        }


def open_dataset(task: Task, data: Path) -> Any:
    """A data set of what a task is about: ionograms for a detector, else half-orbits.

    Raises:
        InputError: it is of the other kind, or cannot be read.
    """
    from odm.core.kinds import IONOGRAMS, ORBITS

    kind = IONOGRAMS if task == "detector" else ORBITS
    return kind.load("dataset").load(data)


def _resized(folder: SweepFolder, sweep: Sweep, dataset: Any, size: int) -> Any:
    """The data set with images of another size."""
    path = folder.path / "datasets" / f"{size}.yaml"
    image = replace(dataset.settings, height=size, width=size)
    places = {"archive": dataset.archive, "annotations": str(dataset.annotations.folder)}
    if sweep.task == "segmenter":
        image = replace(image, mode="resized")
    return dataset.create(path, dataset.config.model_copy(update={**places, "image": image}))
