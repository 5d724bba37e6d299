"""Ray Train around the one training loop: workers, their failures, and what they tell.

A run's checkpoints are its own, in its own folder, which all machines must share: Ray's are not
used, so nothing is copied through Ray, and a run that Ray began the plain loop can finish.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import ray
import ray.train
from ray.train.torch import TorchConfig, TorchTrainer

from odm.core.errors import OdmError
from odm.core.signals import stop_signals
from odm.training.errors import TrainingError
from odm.training.events import Console, listeners, recorded
from odm.training.launch import Launch
from odm.training.loop import Answer, ProgressReport, TrainingResult
from odm.training.plans import NOW, STOPPING, TrainingPlan, check_stopped
from ray_jobs.cluster.nodes import await_room
from ray_jobs.cluster.room import Cluster, ClusterError, room
from ray_jobs.internals import autoscaler_limits
from ray_jobs.training.relay import Follower, Relay

# mypy sees these names as they were before version 2 of Ray Train.
V2: Any = ray.train
START_S = 60.0
"""Seconds that Ray Train has to start a group of workers."""
LOOK_S = 0.3
"""Seconds between two looks at what the workers tell."""
GATHER_S = 5.0
"""Seconds that a failing rank waits for the others to fail with their own reasons."""
_ENVIRONMENT = {
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": str(START_S),
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "2",
    "RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S": "2",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
"""What Ray Train reads from the environment of the driver, where the user has not set it."""


@dataclasses.dataclass(frozen=True)
class WorkerPlacement:
    """Workers of one size.

    Attributes:
        least, most: fewest and most workers.
        cpus: CPUs of each.
        gpu: whether each has a GPU.
    """

    least: int
    most: int
    cpus: int
    gpu: bool

    @property
    def each(self) -> dict[str, float]:
        """Resources of a worker, by Ray's names."""
        return {"CPU": float(self.cpus), **({"GPU": 1.0} if self.gpu else {})}


def place(cluster: Cluster, launch: Launch, device: str, spare: int = 0) -> WorkerPlacement:
    """Workers as a launch asks for them, as many as the cluster can give.

    Args:
        cluster: connected.
        launch: what is asked for.
        device: ``runtime.device`` of the settings.
        spare: CPUs that workers whose size is not given leave free, where there are as many.

    Raises:
        ClusterError: it cannot give them.
    """
    gpu = launch.gpu
    if gpu is None:
        there = cluster.gpus or (0 if cluster.started else autoscaler_limits().get("GPU", 0))
        gpu = there > 0 if device == "auto" else device.startswith("cuda")
    least, most = launch.span or ((cluster.gpus or 1,) * 2 if gpu else (1, 1))
    cpus = launch.cpus
    if cpus is None:
        cpus = _shared_out(cluster.machines, most, gpu, spare)
    placement = WorkerPlacement(least, most, cpus, gpu)
    await_room(cluster, least, placement.each, "workers")
    return placement


def _shared_out(
    machines: Sequence[Mapping[str, float]], workers: int, gpu: bool, spare: int
) -> int:
    """Most CPUs that each of so many workers can have; 1 where there is no room for them all."""
    each = [int(machine.get("CPU", 0)) for machine in machines]
    for cpus in range(max(each, default=1), 1, -1):
        if sum(each) - workers * cpus < spare:
            continue
        if room(machines, WorkerPlacement(workers, workers, cpus, gpu).each) >= workers:
            return cpus
    return 1


def run_workers(
    plan: TrainingPlan,
    work: Callable[..., TrainingResult],
    sources: Mapping[str, Any],
    placement: WorkerPlacement,
    launch: Launch,
    *,
    hear: Callable[[ProgressReport], bool | None] | None = None,
) -> TrainingResult:
    """Train a plan on workers, and show how far it has come.

    Args:
        plan: what is trained; its folder is locked and written to by the caller.
        work: ``work(plan, ranks, listener, **sources)`` on every worker, such as
            `odm.training.plans.train_planned`.
        sources: the plan's samples, which the workers fetch.
        placement, launch: where it is trained.
        hear: hears what the main rank tells, in place of the console, soon after; true asks the
            workers to end after their next checkpoint.

    Raises:
        TrainingError: the training failed, or was begun again too often.
        ClusterError: there was no room for long.
    """
    relay = Relay.of(plan.run.folder)
    relay.open()
    config = {
        "plan": _absolute(plan),
        "work": work,
        "sources": dict(sources),
        "relay": relay,
        "threads": placement.cpus,
        "gpu": placement.gpu,
    }
    failures = V2.FailureConfig(
        max_failures=launch.max_failures,
        controller_failure_limit=max(1, round(launch.wait_s / START_S)),
        max_preemption_failures=10 * launch.max_failures,
    )
    elastic = placement.least != placement.most
    trainer = TorchTrainer(
        cast(Any, _work),
        train_loop_config=config,
        torch_config=TorchConfig(backend="nccl" if placement.gpu else "gloo"),
        scaling_config=V2.ScalingConfig(
            num_workers=(placement.least, placement.most) if elastic else placement.most,
            use_gpu=placement.gpu,
            resources_per_worker=placement.each,
        ),
        run_config=V2.RunConfig(
            name="train", storage_path=str(relay.folder), failure_config=failures
        ),
    )
    unset = {name: value for name, value in _ENVIRONMENT.items() if name not in os.environ}
    hearing = _console(plan) if hear is None else nullcontext(hear)
    with environment(unset), stop_signals(STOPPING) as stops, hearing as listener:
        result = _followed(trainer, relay, launch, stops, listener)
    relay.remove()
    if stops():
        check_stopped(result)
    return result


# -- on the driver -------------------------------------------------------------------------------


def _followed(
    trainer: TorchTrainer,
    relay: Relay,
    launch: Launch,
    stops: Callable[[], bool],
    hear: Callable[[ProgressReport], bool | None],
) -> TrainingResult:
    """Wait for a trainer; it runs in a thread so that Ctrl-C ends the wait as it does elsewhere."""
    outcome: list[Any] = []

    def fit() -> None:
        try:
            outcome.append(trainer.fit())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=fit, daemon=True, name="ray-train")
    thread.start()
    follower = Follower(relay)
    deadline = time.monotonic() + launch.wait_s + START_S
    while True:
        running = thread.is_alive()  # before the last look
        for report in follower.new():
            if hear(report):
                relay.ask_to_stop()
        if not running:
            return _result(outcome[0], relay, launch)
        if stops() and not relay.stop_is_asked:
            relay.ask_to_stop()
        if time.monotonic() > deadline and not relay.arrived:
            raise ClusterError(
                f"no room for the workers in {launch.wait_s:.0f} s: the cluster is busy"
            )
        thread.join(LOOK_S)


@contextmanager
def _console(plan: TrainingPlan) -> Iterator[Callable[[ProgressReport], None]]:
    """Show reports; where workers were replaced, from the beginning."""
    with ExitStack() as stack:
        console: Console | None = None

        def hear(report: ProgressReport) -> None:
            nonlocal console
            if report.kind == "begin" or console is None:
                stack.close()
                console = Console(plan.settings.schedule.epochs, plan.task_class.score)
                stack.enter_context(closing(console))
            console(report)

        yield hear


def _result(outcome: Any, relay: Relay, launch: Launch) -> TrainingResult:
    """What came out of a trainer, or why nothing did."""
    failed = relay.failures()
    if failed:
        raise failed[0]
    if isinstance(outcome, BaseException):
        raise _explained(outcome, relay, launch) from None
    return TrainingResult(**outcome.return_value)


def _explained(error: BaseException, relay: Relay, launch: Launch) -> BaseException:
    if isinstance(error, V2.WorkerGroupError):
        causes = [getattr(e, "_base_exc", e) for e in error.worker_failures.values()]
        for cause in causes:
            if isinstance(cause, OdmError):
                return cause
        text = str(error)
        (relay.folder / "failure.log").write_text(text + "\n")
        first = causes[0] if causes else error
        line = (str(first).strip().splitlines() or [""])[0]
        return TrainingError(
            f"workers failed {launch.max_failures + 1} times, which is more than --max-failures "
            f"{launch.max_failures}; the last time: {type(first).__name__}: {line} (all of it in "
            f"{relay.folder / 'failure.log'}); the same command goes on from the last checkpoint"
        )
    if isinstance(error, V2.ControllerError):
        cause = error.controller_failure
        if "Startup" in type(cause).__name__ or "Insufficient" in type(cause).__name__:
            return ClusterError(f"no room for the workers in {launch.wait_s:.0f} s, or they died")
        line = (str(cause).strip().splitlines() or [""])[0]
        return TrainingError(f"Ray Train failed: {type(cause).__name__}: {line}")
    return error


def _absolute(plan: TrainingPlan) -> Any:
    """A plan that means the same in another working directory."""
    changed: dict[str, Any] = {
        "run": dataclasses.replace(plan.run, folder=plan.run.folder.resolve())
    }
    if plan.init is not None and Path(plan.init).exists():
        changed["init"] = str(Path(plan.init).resolve())
    return dataclasses.replace(plan, **changed)


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment within the context."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


# -- on a worker ---------------------------------------------------------------------------------


def _work(config: dict[str, Any]) -> dict[str, Any] | None:
    """Train as one rank; what the main one returns is the result."""
    import torch

    from odm.training.ranks import Ranks

    plan, relay = config["plan"], config["relay"]
    relay.check()
    if relay.failures():  # of the workers before: beginning again would not help
        return None
    torch.set_num_threads(config["threads"])
    device = ray.train.torch.get_device() if config["gpu"] else torch.device("cpu")
    ranks = Ranks.of_group(device)
    relay.arrive(ranks.rank)
    work = config["work"]
    try:
        if not ranks.is_main:
            work(plan, ranks, _Asking(relay), **config["sources"])
            return None
        with recorded(plan.run, plan.settings) as record:
            # Told first: a worker whose launch is over writes nothing down.
            result = work(
                plan, ranks, listeners(relay.tell, record, _Asking(relay)), **config["sources"]
            )
        return dataclasses.asdict(result)
    except OdmError as error:
        relay.fail(ranks.rank, error)
        if not relay.all_failed(ranks.world_size, GATHER_S):
            raise  # the others wait for this rank: let Ray end them
        return None


class _Asking:
    """Asks the loop for a checkpoint: to end where the driver wants that; else one, and to go on,
    where a machine of the workers is about to be taken away."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self._kept_for: tuple[str, ...] = ()

    def __call__(self, report: ProgressReport) -> Answer | None:
        """Hear a report. Every rank has to, as often as the others: Ray asks them all."""
        if report.kind != "steps":
            return None
        info = V2.get_preemption_info()
        if self.relay.stop_is_asked:
            return NOW
        leaving = () if info is None else tuple(info.preempted_node_ids)
        if not leaving or leaving == self._kept_for:
            return None
        self._kept_for = leaving
        return Answer.KEEP
