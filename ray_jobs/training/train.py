"""`odm train` on Ray: the samples in the object store, the workers, the model folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from odm.core.progress import progress
from odm.models.card import ModelCard
from odm.training.launch import Launch
from odm.training.loop import TrainingResult
from odm.training.plans import TrainingPlan, keep_model, train_planned
from odm.training.ranks import Ranks
from ray_jobs.cluster.connection import connect
from ray_jobs.cluster.nodes import check_nodes
from ray_jobs.cluster.room import Cluster
from ray_jobs.training.drawn import draw_on_ray
from ray_jobs.training.launch import place, run_workers
from ray_jobs.training.samples import READER, HeldSource, hold


def read_samples(
    plan: TrainingPlan, cluster: Cluster, wait_s: float = 600.0
) -> dict[str, HeldSource]:
    """Read both parts of a plan into the object store: ``training`` and ``validation``.

    Args:
        plan: the training.
        cluster: connected.
        wait_s: seconds to wait for the next block, before the cluster is taken for too busy.

    Raises:
        ClusterError: see `hold`.
        ArchiveError, AnnotationError: the first bad file.
    """
    reader, image = plan.reader, plan.dataset.settings
    parts = {"training": plan.training, "validation": plan.validation}
    sources = {}
    with progress("reading", sum(map(len, parts.values()))) as advance:
        for part, samples in parts.items():
            sources[part] = hold(
                samples,
                reader.load_for(plan.task_class.labels, plan.dataset),
                [reader.name(sample) for sample in samples],
                [sample.has_object for sample in samples],
                # Labels take as much as a channel at most.
                sample_bytes=(image.channels + 1) * image.height * image.width,
                cpus=cluster.cpus,
                wait_s=wait_s,
                advance=advance,
            )
    return sources


def train_on_ray(
    plan: TrainingPlan,
    launch: Launch | None = None,
    *,
    work: Callable[..., TrainingResult] = train_planned,
    read: Callable[[TrainingPlan, Cluster, float], Mapping[str, Any]] = read_samples,
) -> tuple[TrainingResult, ModelCard]:
    """Train a plan on Ray; what `odm.training.plans.train_here` is for this process.

    Args:
        plan: the training.
        launch: where, and on how many workers; None for one on this machine, or one per GPU.
        work: what every worker runs, as `run_workers` takes it.
        read: gives the sources of the plan's samples.

    Returns:
        How it ended, and the card of the saved model.

    Raises:
        OdmError: one sentence on what is wrong: the cluster, a file, the training.
    """
    launch = launch or Launch()
    with plan.run.locked():
        if plan.is_finished:  # neither a cluster nor a sample is needed to say so
            result = work(plan, Ranks(), None)
            return result, keep_model(plan, result)
        with connect(launch.address) as cluster:
            runtime = plan.settings.runtime
            drawn = plan.reader.sources is not None
            spare = runtime.draw_workers if drawn else 0
            placement = place(cluster, launch, runtime.device, spare)
            if not drawn:
                cluster.check(1, READER, "readers")
            if not cluster.started:
                check_nodes([plan.dataset.archive], written=plan.run.folder)
            plan.run.write(plan.settings, plan.facts)
            if drawn:
                sources: Mapping[str, Any] = draw_on_ray(plan, cluster, placement)
            else:
                sources = read(plan, cluster, launch.wait_s)
            result = run_workers(plan, work, sources, placement, launch)
            return result, keep_model(plan, result)
