"""Trials on Ray Tune: the study asks, Tune places and watches, and the study is told.

Tune is given neither a searcher with a state nor a scheduler that kills. What is tried next comes
from the study on disk, which is all that a sweep needs to go on. A trial that is to end early is
asked to, by a file in its folder that it looks for after every report (`tune.report` returns when
the sweep has heard it), and leaves by itself: killing a trial of several workers leaves their
placement group to a cleaner that may never come.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.search import Searcher

from odm.core.errors import OdmError
from odm.core.files import write_bytes
from odm.training.launch import Launch
from ray_jobs.cluster.room import Cluster, ClusterError
from ray_jobs.internals import head_resource
from ray_jobs.training.launch import WorkerPlacement
from tuning.board import Board
from tuning.study import Asked, Ledger
from tuning.trial import Job, Sources, reason_of, run_trial

STOP = "stop"
"""File in the folder of a trial that is asked to end."""
COORDINATOR_BYTES = 600e6
"""Of the process that launches the workers of a trial; it needs no CPU of its own."""
_ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the study has it all
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends a sweep; it goes on when started again
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


@dataclass(frozen=True)
class Room:
    """What a trial takes, and how many there can be at once.

    Attributes:
        cpus, gpus: of a trial in one process; a GPU may be shared.
        concurrent: trials at once.
        placement, launch: of a trial on several workers; None for one process.
        wait_s: without any trial at work, after which the sweep ends.
    """

    cpus: int
    gpus: float
    concurrent: int
    placement: WorkerPlacement | None = None
    launch: Launch | None = None
    wait_s: float = 600.0

    @property
    def each(self) -> dict[str, float]:
        """Resources of the process of a trial, by Ray's names; its workers have their own."""
        if self.placement is not None:
            return {"memory": COORDINATOR_BYTES}
        return {"CPU": float(self.cpus), **({"GPU": self.gpus} if self.gpus else {})}


def run_on_ray(
    cluster: Cluster,
    ledger: Ledger,
    job: Job,
    total: int,
    sources: Sources,
    room: Room,
    board: Board,
) -> None:
    """Run trials until so many have been tried.

    Args:
        cluster: connected.
        ledger: of the sweep.
        job: what all trials have in common.
        total: trials in all, those of earlier times included.
        sources: the samples, in the object store.
        room: of a trial.
        board: shows how far it has come.

    Raises:
        ClusterError: no trial found a place for long.
    """
    left = total - ledger.counts().finished
    if left <= 0:
        return
    folder = job.folder / "ray" / uuid.uuid4().hex
    shutil.rmtree(folder.parent, ignore_errors=True)
    watch = _Watch(ledger, job, board, room.wait_s)
    trainable = tune.with_resources(
        tune.with_parameters(_trial, job=job, sources=dict(sources), room=room),
        tune.PlacementGroupFactory([room.each]),
    )
    with _settings():
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=_Queue(ledger),
                num_samples=left,
                max_concurrent_trials=room.concurrent,
                reuse_actors=room.placement is None,
                trial_dirname_creator=lambda trial: f"trial-{trial.trial_id}",
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(folder),
                callbacks=[watch],
                stop=watch.stopper,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        )
        tuner.fit()
    shutil.rmtree(folder.parent, ignore_errors=True)
    if watch.hopeless:
        raise ClusterError(watch.hopeless)
    for number in ledger.open:
        watch.fail(number, "it ended and did not say how")


class _Queue(Searcher):
    """Gives Tune the trials of the study."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger

    def suggest(self, trial_id: str) -> dict[str, Any]:
        asked = self.ledger.ask()
        return {"number": asked.number, "values": asked.values, "folder": asked.folder}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """The callback closes trials: it knows why."""

    def save(self, checkpoint_path: str) -> None:
        """The study is on disk; there is no other state."""

    def restore(self, checkpoint_path: str) -> None:
        """See `save`."""


class _Watch(tune.Callback):
    """Tells the study what Tune sees, and ends what can never begin."""

    def __init__(self, ledger: Ledger, job: Job, board: Board, wait_s: float) -> None:
        self.ledger, self.job, self.board, self.wait_s = ledger, job, board, wait_s
        self.hopeless = ""
        self.stopper = _Stopper(self)
        self._at_work = time.monotonic()

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        states = [trial.status for trial in trials]
        if "RUNNING" in states or "PENDING" not in states:
            self._at_work = time.monotonic()
        elif time.monotonic() - self._at_work > self.wait_s:
            self.hopeless = f"no room for a trial in {self.wait_s:.0f} s: the cluster is busy"
        self.board.tick()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        number = trial.config["number"]
        if "value" in result:
            if self.ledger.report(number, result["epoch"], result["value"]):
                write_bytes(self.job.folder_of(trial.config["folder"]) / STOP, b"")
            return
        if "hopeless" in result:
            self.hopeless = result["hopeless"]  # the trial stays open, and is queued again
            return
        if "failed" in result:
            self.fail(number, result["failed"])
        elif "facts" in result:
            self.ledger.finish(number, result["facts"], stopped=result["stopped"])
        self.board.show()

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        number = trial.config["number"]
        if number not in self.ledger.open:  # its process died after it had told all
            return
        # Beside the driver; Tune's own way to it looks where it is copied later.
        file = Path(trial.error_file or "")
        self.fail(number, _reason(file.read_text() if file.is_file() else ""))
        self.board.show()

    def fail(self, number: int, reason: str) -> None:
        """Close a trial that gave nothing."""
        self.ledger.fail(number, reason)
        self.board.failed(number, reason)


class _Stopper(tune.Stopper):
    def __init__(self, watch: _Watch) -> None:
        self.watch = watch

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return bool(self.watch.hopeless)


def _trial(config: dict[str, Any], job: Job, sources: Sources, room: Room) -> None:
    """What Tune runs, in a process of its own."""
    asked = Asked(config["number"], config["values"], config["folder"])
    stop = job.folder_of(asked.folder) / STOP
    stop.unlink(missing_ok=True)

    def tell(epoch: int, value: float) -> bool:
        tune.report({"epoch": epoch, "value": value})
        return stop.exists()

    try:
        outcome = run_trial(job, asked, sources, tell, room.placement, room.launch)
    except ClusterError as error:
        tune.report({"hopeless": str(error)})
    except (OdmError, MemoryError, RuntimeError) as error:
        tune.report({"failed": reason_of(error)})
    else:
        tune.report({"facts": outcome.facts, "stopped": outcome.stopped})


def _reason(text: str) -> str:
    """Why the process of a trial is gone, from what Ray says."""
    if "OutOfMemoryError" in text:
        return "out of memory: Ray ended its process"
    if "ActorDiedError" in text or "worker process has died" in text:
        return "its process died: killed, or out of memory"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it does not say why"


@contextmanager
def _settings() -> Iterator[None]:
    """What Tune reads from the environment; and without its talk."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    logger = logging.getLogger("ray.tune")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # the study says what failed, and why
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning, module="ray")
            yield
    finally:
        logger.setLevel(level)
        for name, old in before.items():
            if old is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = old


def make_room(
    cluster: Cluster,
    *,
    cpus: int | None = None,
    gpus: float | None = None,
    concurrent: int | None = None,
    wait_s: float = 600.0,
    device: str = "auto",
) -> Room:
    """Room for trials of one process.

    Args:
        cluster: connected.
        cpus, gpus: of a trial; None for one GPU (with its share of the CPUs) where there are any,
            else one CPU.
        concurrent: trials at once; None for as many as there is room for.
        wait_s: see `Room`.
        device: ``runtime.device`` of the settings.

    Raises:
        ClusterError: there is no room for one.
    """
    from ray_jobs.cluster.room import room

    if gpus is None:
        gpus = 1.0 if cluster.gpus and (device == "auto" or device.startswith("cuda")) else 0.0
    if cpus is None:
        cpus = max(1, int(cluster.cpus * gpus / max(cluster.gpus, 1))) if gpus else 1
        cpus = min(cpus, max(1, cluster.cpus))
    one = Room(cpus, gpus, 1, wait_s=wait_s)
    cluster.check(1, one.each, "trials")
    fitting = room(cluster.machines, one.each)
    return Room(cpus, gpus, max(1, min(concurrent or fitting, fitting)), wait_s=wait_s)


def make_nested_room(
    cluster: Cluster, launch: Launch, device: str, concurrent: int | None = None
) -> Room:
    """Room for trials of several workers.

    Raises:
        ClusterError: there is none for one trial, or what frees the workers of a trial that dies
            cannot work here.
    """
    from ray_jobs.cluster.room import room
    from ray_jobs.training.launch import place

    placement = place(cluster, launch, device)
    check_cleaner()
    fitting = max(1, room(cluster.machines, placement.each) // placement.most)
    return Room(
        cpus=placement.cpus,
        gpus=0.0,
        concurrent=max(1, min(concurrent or fitting, fitting)),
        placement=placement,
        launch=launch,
        wait_s=launch.wait_s,
    )


def check_cleaner(timeout_s: float = 60.0) -> None:
    """See that Ray Train could free the workers of a trial that dies.

    It asks the State API, which the dashboard serves, from a process on the head; so does this.

    Raises:
        ClusterError: it does not answer.
    """
    head = {head_resource(): 0.001}
    look = ray.remote(num_cpus=0, max_retries=0, resources=head)(_look)
    try:
        reason = ray.get(look.remote(), timeout=timeout_s)
    except Exception as error:
        reason = type(error).__name__
    if reason:
        raise ClusterError(
            "trials of several workers need the dashboard and the State API of the cluster, which "
            f"free the workers of a trial that dies, and they do not answer ({reason}): start Ray "
            "with its dashboard and give its --address HOST:PORT, or take --workers 1"
        )


def _look() -> str:
    """Ask for an actor that there is not; why that cannot be asked."""
    from ray.util.state import get_actor

    try:
        get_actor("f" * 32, timeout=10)
    except BaseException as error:
        text = (str(error).strip().splitlines() or [""])[0]
        return f"{type(error).__name__}: {text[:120]}"
    return ""
