"""`odm train` on Ray: what each task brings, and the one way they are run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from odm.core.progress import progress
from odm.images.ionogram import IonogramImageSettings
from odm.models.card import ModelCard
from odm.training.launch import Launch
from odm.training.loop import Result
from odm.training.plans import is_finished
from odm.training.ranks import Ranks
from ray_jobs.cluster.connection import connect
from ray_jobs.cluster.nodes import check_nodes
from ray_jobs.cluster.room import Cluster
from ray_jobs.training.launch import place, run_workers
from ray_jobs.training.samples import (
    READER,
    HeldSource,
    Load,
    hold,
    image_and_boxes,
    image_and_layers,
    image_and_mask,
)

Read = Callable[[Any, Cluster, float], dict[str, HeldSource]]


@dataclass(frozen=True)
class Task:
    """A kind of training: what is done with its plans.

    Attributes:
        train: ``train(plan, ranks, listener, training=…, validation=…)``, on every worker.
        keep: makes the model folder of a finished training.
        facts: what is stored beside the settings.
        read: the samples of a plan as sources: ``read(plan, cluster, wait_s)``.
        score: the metric that is shown.
    """

    train: Callable[..., Result]
    keep: Callable[[Any, Result], ModelCard]
    facts: Callable[[Any], dict[str, Any]]
    read: Read
    score: str


def task_of(module: Any, read: Read, score: str) -> Task:
    """The task of a module of `odm.training` such as `segmenter`, and how its samples are read."""
    return Task(module.train_planned, module.keep_model, module.run_facts, read, score)


def train_on_ray(plan: Any, task: Task, launch: Launch) -> tuple[Result, ModelCard]:
    """Train a plan on Ray; what `train_here` is for this process.

    Args:
        plan: see `ray_jobs.training.launch.Plan`.
        task: what is done with it.
        launch: where, and on how many workers.

    Raises:
        OdmError: one sentence on what is wrong: the cluster, a file, the training.
    """
    with plan.run.locked():
        if is_finished(plan):  # neither a cluster nor a sample is needed to say so
            result = task.train(plan, Ranks(), None)
            return result, task.keep(plan, result)
        return _train(plan, task, launch)


def _train(plan: Any, task: Task, launch: Launch) -> tuple[Result, ModelCard]:
    with connect(launch.address) as cluster:
        placement = place(cluster, launch, plan.settings.runtime.device)
        cluster.check(1, READER, "readers")
        if not cluster.started:
            check_nodes([plan.dataset.archive], written=plan.run.folder)
        plan.run.write(plan.settings, task.facts(plan))
        sources = task.read(plan, cluster, launch.wait_s)
        result = run_workers(plan, task.train, sources, placement, launch, task.score)
        return result, task.keep(plan, result)


def train_segmenter(plan: Any, launch: Launch | None = None) -> tuple[Result, ModelCard]:
    """Train a segmenter on Ray.

    Args:
        plan: of `odm.training.segmenter.plan_segmenter`.
        launch: where; None for one worker on this machine, or one per GPU.

    Returns:
        How it ended, and the card of the saved model.
    """
    from odm.training import segmenter
    from odm.training.masks import MaskTask

    return train_on_ray(plan, task_of(segmenter, read_masks, MaskTask.score), launch or Launch())


def train_detector(plan: Any, launch: Launch | None = None) -> tuple[Result, ModelCard]:
    """Train a detector on Ray.

    Args:
        plan: of `odm.training.detector.plan_detector`.
        launch: where; None for one worker on this machine, or one per GPU.

    Returns:
        How it ended, and the card of the saved model.
    """
    from odm.training import detector
    from odm.training.boxes import BoxTask

    return train_on_ray(plan, task_of(detector, read_boxes, BoxTask.score), launch or Launch())


def read_masks(plan: Any, cluster: Cluster, wait_s: float = 600.0) -> dict[str, HeldSource]:
    """The images and masks of a plan of half-orbits or ionograms, in the object store.

    Raises:
        ClusterError: see `hold`.
        ArchiveError, AnnotationError: the first bad file.
    """
    settings = plan.dataset.settings
    layers = isinstance(settings, IonogramImageSettings)
    return _read(
        plan,
        cluster,
        partial(image_and_layers if layers else image_and_mask, settings),
        lambda sample: (
            (sample.key.identity, sample.has_layer)
            if layers
            else (sample.key.stem, sample.has_nucleus)
        ),
        wait_s,
        sample_bytes=2 * settings.height * settings.width,
    )


def read_boxes(plan: Any, cluster: Cluster, wait_s: float = 600.0) -> dict[str, HeldSource]:
    """The images and boxes of a plan of ionograms, in the object store.

    Raises:
        ClusterError: see `hold`.
        ArchiveError: the first bad file.
    """
    settings = plan.dataset.settings
    return _read(
        plan,
        cluster,
        partial(image_and_boxes, settings),
        lambda sample: (sample.key.identity, sample.has_layer),
        wait_s,
        sample_bytes=settings.height * settings.width,
    )


def _read(
    plan: Any,
    cluster: Cluster,
    load: Load,
    named: Callable[[Any], tuple[str, bool]],
    wait_s: float,
    *,
    sample_bytes: int,
) -> dict[str, HeldSource]:
    """Both parts of a plan; ``named`` gives a sample's key and whether it has anything to find."""
    parts: dict[str, Sequence[Any]] = {"training": plan.training, "validation": plan.validation}
    sources = {}
    with progress("reading", sum(map(len, parts.values()))) as advance:
        for name, samples in parts.items():
            keys, positive = zip(*map(named, samples), strict=True)
            sources[name] = hold(
                samples,
                load,
                keys,
                positive,
                sample_bytes=sample_bytes,
                cpus=cluster.cpus,
                wait_s=wait_s,
                advance=advance,
            )
    return sources
