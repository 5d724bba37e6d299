"""Where the trials of a sweep run, as the command line says it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from odm.core.checks import check_least
from odm.core.errors import InputError
from odm.training.launch import Launch


@dataclass(frozen=True)
class SweepPlacement:
    """Where trials run.

    Attributes:
        local: in this process, one after the other, without Ray.
        workers: workers of a trial; more than 1 launches Ray Train.
        cpus, gpus: CPUs and GPUs of a trial, or of each of its workers; None for what fits.
        concurrent: trials at once; None for as many as there is room for.
        address: address of a cluster; None for that of the environment, else one on this machine.
        wait_s: seconds to wait for room.
    """

    local: bool = False
    workers: int = 1
    cpus: int | None = None
    gpus: float | None = None
    concurrent: int | None = None
    address: str | None = None
    wait_s: float = 600.0

    def __post_init__(self) -> None:
        for option in ("workers", "concurrent", "cpus"):
            check_least(f"--{option}", getattr(self, option), 1)
        if self.gpus is not None and (
            self.gpus < 0 or (self.gpus > 1 and self.gpus != int(self.gpus))
        ):
            raise InputError(f"--gpus {self.gpus:g}: give a share of one, or a whole number")
        if self.workers > 1 and self.gpus not in (None, 0, 1):
            raise InputError("--gpus: each of several workers has a whole GPU or none")
        if self.local and replace(self, local=False) != SweepPlacement(wait_s=self.wait_s):
            raise InputError("workers, CPUs, GPUs, concurrency and address are Ray's: not --local")

    @property
    def launch(self) -> Launch:
        """The workers of a trial."""
        gpu = None if self.gpus is None else self.gpus > 0
        return Launch(self.workers, self.cpus or 1, gpu, self.address, wait_s=self.wait_s)
