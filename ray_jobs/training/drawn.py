"""Half-orbits that are drawn in Ray tasks while a training runs, ahead of its workers.

Every worker has a few tasks under way and no more, so what lies in the object store is bounded. A
task draws into the cache of its own machine, and what comes from another machine is kept in the
cache of the worker's.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from odm.core.errors import OdmError
from odm.core.progress import say
from odm.training.drawn.drawer import Drawer
from odm.training.drawn.drawing import Drawing, Drawn, draw_into_cache
from odm.training.drawn.source import DrawnSource, sources_of
from odm.training.errors import TrainingError
from odm.training.plans import TrainingPlan
from ray_jobs.cluster.room import Cluster
from ray_jobs.training.launch import WorkerPlacement

RETRIES = 3
"""Times that Ray starts a task again whose process has died."""


class DrawingTasks:
    """Tasks that draw; see `odm.training.drawn.drawer.DrawingPool`.

    Args:
        workers: how many are under way at most, which the caller sees to.
    """

    def __init__(self, workers: int) -> None:
        self._draw = ray.remote(num_cpus=1, max_retries=RETRIES)(_draw)

    def submit(self, drawing: Drawing) -> Future[bool]:
        """See `DrawingPool`."""
        answer: Future[bool] = Future()

        def landed(drawn: Future[Any]) -> None:
            try:
                answer.set_result(_kept(drawing, drawn.result()))
            except BaseException as error:
                answer.set_exception(_own(error))

        self._draw.remote(drawing).future().add_done_callback(landed)
        return answer

    def close(self) -> None:
        """Tasks end with the process that began them."""


def _draw(drawing: Drawing) -> Drawn | None:
    """A half-orbit, drawn into the cache of this machine; None where another process draws it."""
    return drawing.read() or (drawing.read() if draw_into_cache(drawing) else None)


def _kept(drawing: Drawing, drawn: Drawn | None) -> bool:
    """Whether a half-orbit came; it is kept on this machine if it was drawn on another."""
    if drawn is not None and not drawing.path.exists():
        drawing.keep(drawn)
    return drawn is not None


def _own(error: BaseException) -> BaseException:
    """An error of a task as one of ours."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    if isinstance(cause, OdmError):
        return cause
    first = (str(cause).strip().splitlines() or ["it does not say why"])[0]
    if isinstance(error, RayError):
        return TrainingError(f"drawing on Ray failed: {type(cause).__name__}: {first}")
    return error


def draw_on_ray(
    plan: TrainingPlan, cluster: Cluster, placement: WorkerPlacement
) -> dict[str, DrawnSource]:
    """Return the sources of a plan whose data set is drawn, ``training`` and ``validation``.

    Args:
        plan: the training.
        cluster: connected.
        placement: its workers; what they leave free of the cluster draws.

    Raises:
        InputError: the cache is too small for what is in use.
    """
    runtime = plan.settings.runtime
    free = cluster.cpus - placement.most * placement.cpus
    wanted = runtime.draw_workers
    tasks = min(wanted, -(-free // placement.most)) if free > 0 else 0
    if wanted and not tasks:
        say("note: the workers have all CPUs, so each of them draws for itself")
    drawer = Drawer(tasks, runtime.drawn_gb * 1e9, DrawingTasks)
    return sources_of(plan.dataset, drawer, runtime.cache_gb * 1e9)
