"""How long an archive takes on a cluster, from measured rates, and what holds it up."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import Field

from odm.core.errors import InputError
from odm.core.settings import Settings

MODEL_CPUS = 1
"""Of the process that feeds a GPU."""


class Rates(Settings):
    """What one input costs, measured by `ray_jobs.reprocessing.calibrate`.

    Attributes:
        read_s, finish_s: of a CPU, in seconds.
        model_s: of a model worker, in seconds: a GPU, or a core where there is none.
        gpu: its name; empty where the model ran on cores.
        input_bytes: read from storage, also to finish.
        storage_bytes_per_s: that the storage gave to all readers together; None where the readers
            did not wait for it, so that its limit is not known.
        driver_s: of the one process that hands out tasks and commits, in seconds.
        start_s: until the first outcome, once.
        measured: on what, in words.
    """

    read_s: float = Field(gt=0)
    finish_s: float = Field(ge=0)
    model_s: float = Field(gt=0)
    gpu: str = ""
    input_bytes: float = Field(gt=0)
    storage_bytes_per_s: float | None = Field(default=None, gt=0)
    driver_s: float = Field(gt=0)
    start_s: float = Field(default=60.0, ge=0)
    measured: str = ""


@dataclass(frozen=True)
class Size:
    """A cluster. ``price``: of all of it, an hour, in whatever currency."""

    cpus: int
    gpus: int = 0
    nodes: int = 1
    price: float | None = None

    def __post_init__(self) -> None:
        for name, least in (("cpus", 1), ("gpus", 0), ("nodes", 1)):
            if getattr(self, name) < least:
                raise InputError(f"--{name} {getattr(self, name)}: give {least} or more")
        if self.price is not None and not (math.isfinite(self.price) and self.price >= 0):
            raise InputError(f"--price {self.price}: give 0 or more")


@dataclass(frozen=True)
class Estimate:
    """What it takes.

    Attributes:
        inputs: of the archive.
        rate: inputs a second, at best.
        limits: inputs a second that each part of the cluster allows.
        bottleneck: the part that allows least.
        hours, node_hours, cost: of the whole; None for a cost without a price.
        cpus_per_gpu: that keep a GPU busy, the one of its own process included; None without one.
        advice: what would help.
    """

    inputs: int
    rate: float
    limits: dict[str, float]
    bottleneck: str
    hours: float
    node_hours: float
    cost: float | None
    cpus_per_gpu: float | None
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a script."""
        return asdict(self)


def estimate(rates: Rates, inputs: int, size: Size) -> Estimate:
    """Hours and node-hours.

    Args:
        rates: measured.
        inputs: of the archive.
        size: of the cluster.

    Raises:
        InputError: no inputs, or GPUs where the rates are of cores, or the other way round.
    """
    if inputs < 1:
        raise InputError(f"--inputs {inputs}: give 1 or more")
    if bool(size.gpus) != bool(rates.gpu):
        has = f"on {rates.gpu}" if rates.gpu else "on cores"
        raise InputError(
            f"the rates are of the model {has}, and the cluster has "
            f"{size.gpus or 'no'} GPU{'' if size.gpus == 1 else 's'}: calibrate on such a cluster"
        )
    beside = rates.read_s + rates.finish_s
    ratio = beside / rates.model_s + MODEL_CPUS
    limits = {"driver": 1 / rates.driver_s}
    if size.gpus:
        limits |= {"GPUs": size.gpus / rates.model_s, "CPUs": reading_cpus(size) / beside}
    else:
        limits["CPUs"] = size.cpus / (beside + rates.model_s)
    if rates.storage_bytes_per_s is not None:
        limits["storage"] = rates.storage_bytes_per_s / rates.input_bytes
    bottleneck = min(limits, key=lambda name: limits[name])
    rate = limits[bottleneck]
    hours = (rates.start_s + inputs / rate) / 3600
    return Estimate(
        inputs=inputs,
        rate=rate,
        limits=limits,
        bottleneck=bottleneck,
        hours=hours,
        node_hours=hours * size.nodes,
        cost=None if size.price is None else hours * size.price,
        cpus_per_gpu=ratio if size.gpus else None,
        advice=_advice(bottleneck, size, ratio),
    )


def reading_cpus(size: Size) -> float:
    """CPUs that are left to read and finish where every GPU's process has one of its own.

    Half of them where there are fewer than two for each GPU; see
    `ray_jobs.reprocessing.runner.plan_layout`.
    """
    return max(size.cpus - MODEL_CPUS * size.gpus, size.cpus / 2)


def _advice(bottleneck: str, size: Size, ratio: float) -> str:
    if bottleneck == "CPUs" and size.gpus:
        wanted = math.ceil(ratio * size.gpus)
        return f"the GPUs wait: {size.gpus} of them take {wanted} CPUs, and there are {size.cpus}"
    if bottleneck == "GPUs":
        wanted = math.ceil(ratio * size.gpus)
        return f"{wanted} CPUs keep the GPUs busy; the other {max(0, size.cpus - wanted)} wait"
    return {
        "CPUs": "more cores, or a GPU",
        "storage": "more workers do not help: the storage gives no more",
        "driver": "more workers do not help: split the archive by --since and --until into "
        "campaigns that run at a time",
    }[bottleneck]
