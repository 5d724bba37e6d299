"""Trials on Ray Tune: the study asks, Tune places and watches, and the study is told.

Tune is given neither a searcher with a state nor a scheduler that kills. What is tried next comes
from the study on disk, which is all that a sweep needs to go on. A trial that is to end early is
asked to, by a file in its folder that it looks for after every report (`tune.report` returns when
the sweep has heard it), and leaves by itself: killing a trial of several workers leaves their
placement group to a cleaner that may never come.
"""

from __future__ import annotations

import logging
import shutil
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from odm.core.errors import OdmError
from odm.core.files import write_bytes
from ray_jobs.cluster.room import Cluster, ClusterError
from ray_jobs.training.launch import environment
from ray_jobs.training.train import read_samples
from tuning.board import Board
from tuning.placement import SweepPlacement
from tuning.runners.room import TrialRoom, connected
from tuning.study import Ledger, TrialRequest
from tuning.trial import Sources, TrialContext, reason_of, run_trial

STOP = "stop"
"""File in the folder of a trial that is asked to end."""
_ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the study has it all
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends a sweep; it goes on when started again
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


@contextmanager
def runner(
    context: TrialContext, placement: SweepPlacement
) -> Iterator[Callable[[Ledger, TrialContext, int, Board], None]]:
    """What runs trials on Ray: ``run(ledger, context, total, board)``.

    Raises:
        ClusterError: see `tuning.runners.room.connected`, or no sample could be read for long.
        ArchiveError, AnnotationError: the first bad file.
    """
    with connected(context, placement) as (cluster, room):
        sources = held_samples(cluster, context, placement.wait_s)

        def run(ledger: Ledger, context: TrialContext, total: int, board: Board) -> None:
            context = replace(context, threads=room.cpus)
            run_on_ray(ledger, context, total, sources, room, board)

        yield run


def held_samples(cluster: Cluster, context: TrialContext, wait_s: float = 600.0) -> Sources:
    """The samples of each size of image, read once into the object store for all trials."""
    return {size: read_samples(plan, cluster, wait_s) for size, plan in context.plans().items()}


def run_on_ray(
    ledger: Ledger,
    context: TrialContext,
    total: int,
    sources: Sources,
    room: TrialRoom,
    board: Board,
) -> None:
    """Run trials until so many have been tried.

    Args:
        ledger: the study.
        context: what all trials have in common.
        total: trials in all, those of earlier times included.
        sources: the samples, in the object store.
        room: what a trial takes.
        board: shows how far it has come.

    Raises:
        ClusterError: no trial found a place for long.
    """
    left = total - ledger.counts().finished
    if left <= 0:
        return
    folder = context.folder / "ray" / uuid.uuid4().hex
    shutil.rmtree(folder.parent, ignore_errors=True)
    watch = _Watch(ledger, context, board, room.wait_s)
    trainable = tune.with_resources(
        tune.with_parameters(_trial, context=context, sources=dict(sources), room=room),
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
        request = self.ledger.ask()
        return {"number": request.number, "values": request.values, "folder": request.folder}

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

    def __init__(self, ledger: Ledger, context: TrialContext, board: Board, wait_s: float) -> None:
        self.ledger, self.context, self.board, self.wait_s = ledger, context, board, wait_s
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
                write_bytes(self.context.folder_of(trial.config["folder"]) / STOP, b"")
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


def _trial(
    config: dict[str, Any], context: TrialContext, sources: Sources, room: TrialRoom
) -> None:
    """What Tune runs, in a process of its own."""
    request = TrialRequest(config["number"], config["values"], config["folder"])
    stop = context.folder_of(request.folder) / STOP
    stop.unlink(missing_ok=True)

    def tell(epoch: int, value: float) -> bool:
        tune.report({"epoch": epoch, "value": value})
        return stop.exists()

    try:
        outcome = run_trial(context, request, sources, tell, room.placement, room.launch)
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
    logger = logging.getLogger("ray.tune")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # the study says what failed, and why
    try:
        with environment(_ENVIRONMENT), warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning, module="ray")
            yield
    finally:
        logger.setLevel(level)
