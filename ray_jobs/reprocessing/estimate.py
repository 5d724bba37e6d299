"""How long an archive takes on a cluster, from measured rates, and what holds it up."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import Field

from odm.core.errors import InputError
from odm.core.settings import Settings

MODEL_CPUS = 1
"""CPUs of the process that feeds a GPU."""


class Rates(Settings):
    """What one input costs, measured by `ray_jobs.reprocessing.calibrate`.

    Attributes:
        read_s, finish_s: seconds of a CPU to read and to finish an input.
        model_s: seconds of a model worker: a GPU, or a core where there is none.
        gpu: name of the GPU; empty where the model ran on cores.
        input_bytes: bytes read from storage for an input, also to finish it.
        storage_bytes_per_s: rate that the storage gave to all readers together; None where the
            readers did not wait for it, so that its limit is not known.
        driver_s: seconds of the one process that hands out tasks and commits.
        start_s: seconds until the first outcome, once.
        measured: what the rates were measured on, in words.
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
class ClusterSize:
    """The size of a cluster; ``price`` is that of all of it for an hour, in any currency."""

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
    """What a campaign takes on a cluster.

    Attributes:
        inputs: number of inputs in the archive.
        rate: inputs a second, at best.
        limits: inputs a second that each part of the cluster allows.
        bottleneck: the part that allows least.
        hours, node_hours, cost: totals of the campaign; no cost (None) without a price.
        cpus_per_gpu: CPUs that keep a GPU busy, the one of its own process included; None without
            a GPU.
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


def estimate(rates: Rates, inputs: int, size: ClusterSize) -> Estimate:
    """Compute hours and node-hours.

    Args:
        rates: what an input costs.
        inputs: number of inputs in the archive.
        size: size of the cluster.

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
    io_s = rates.read_s + rates.finish_s
    ratio = io_s / rates.model_s + MODEL_CPUS
    limits = {"driver": 1 / rates.driver_s}
    if size.gpus:
        # Every GPU's process has a CPU of its own; with fewer than two for each GPU, half of them
        # read and finish: see `ray_jobs.reprocessing.layout.plan_layout`.
        reading = max(size.cpus - MODEL_CPUS * size.gpus, size.cpus / 2)
        limits |= {"GPUs": size.gpus / rates.model_s, "CPUs": reading / io_s}
    else:
        limits["CPUs"] = size.cpus / (io_s + rates.model_s)
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


def _advice(bottleneck: str, size: ClusterSize, ratio: float) -> str:
    enough = math.ceil(ratio * size.gpus)
    if bottleneck == "CPUs" and size.gpus:
        return f"the GPUs wait: {size.gpus} of them take {enough} CPUs, and there are {size.cpus}"
    if bottleneck == "GPUs":
        return f"{enough} CPUs keep the GPUs busy; the other {max(0, size.cpus - enough)} wait"
    return {
        "CPUs": "more cores, or a GPU",
        "storage": "more workers do not help: the storage gives no more",
        "driver": "more workers do not help: split the archive by --since and --until into "
        "campaigns that run at a time",
    }[bottleneck]
