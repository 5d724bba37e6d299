"""What a cluster has, and what fits into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from odm.core.errors import OdmError


class ClusterError(OdmError):
    """A cluster that cannot be reached, or has too little of something."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to.

    Attributes:
        address: host and port of its head.
        started: whether it was started here, for this work only.
    """

    address: str
    started: bool

    @property
    def resources(self) -> dict[str, float]:
        """What all of its nodes have together, by Ray's names: ``CPU``, ``GPU``, ``memory``."""
        import ray

        return {name: float(number) for name, number in ray.cluster_resources().items()}

    @property
    def cpus(self) -> int:
        """CPUs of all nodes."""
        return int(self.resources.get("CPU", 0))

    @property
    def gpus(self) -> int:
        """GPUs of all nodes."""
        return int(self.resources.get("GPU", 0))

    @property
    def machines(self) -> list[dict[str, float]]:
        """What each of its nodes has, by Ray's names."""
        import ray

        return [node["Resources"] for node in ray.nodes() if node["Alive"]]

    def check(self, number: int, each: Mapping[str, float], what: str = "workers") -> None:
        """Compare what is wanted with what there is, before anything waits for it for ever.

        Args:
            number: of workers.
            each: resources of one, by Ray's names.
            what: they are called.

        Raises:
            ClusterError: the cluster, or every node of it, has too little.
        """
        there, machines = self.resources, self.machines
        for name, amount in each.items():
            if amount * number > there.get(name, 0.0):
                raise ClusterError(
                    f"{_counted(number, what)} of {_amount(amount, name)} each, the cluster has "
                    f"{_amount(there.get(name, 0.0), name)}"
                )
            largest = max((machine.get(name, 0.0) for machine in machines), default=0.0)
            if amount > largest:
                raise ClusterError(
                    f"{what} of {_amount(amount, name)} each, the largest machine of the cluster "
                    f"has {_amount(largest, name)}"
                )
        fitting = room(machines, each)
        if number > fitting:
            amounts = " and ".join(_amount(amount, name) for name, amount in each.items())
            raise ClusterError(
                f"{_counted(number, what)} of {amounts} each, the machines of the cluster have "
                f"room for {fitting}"
            )


def room(machines: Sequence[Mapping[str, float]], each: Mapping[str, float]) -> int:
    """How many workers fit on machines: one is never spread over two of them.

    Args:
        machines: resources of each, by Ray's names.
        each: resources of a worker.
    """
    return sum(
        min(int(machine.get(name, 0.0) // amount) for name, amount in each.items())
        for machine in machines
    )


def _amount(number: float, name: str) -> str:
    if name == "memory":
        return f"{number / 1e9:.1f} GB of memory"
    plural = "s" if name in ("CPU", "GPU") and number != 1 else ""
    return f"{number:g} {name}{plural}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what[:-1] if number == 1 and what.endswith('s') else what}"
