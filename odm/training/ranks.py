"""Who trains together: this process alone, or the ranks of a process group that is already there.

The loop knows no more of Ray Train, torchrun or a plain process than `Ranks` says.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Ranks:
    """This process among those that train one model together.

    Attributes:
        rank: number of this process, from 0.
        world_size: how many there are. Above 1 the default process group of `torch.distributed`
            is initialised (gloo for CPUs, nccl for GPUs).
        device: where this process computes.
    """

    rank: int = 0
    world_size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @classmethod
    def of_group(cls, device: torch.device | str = "cpu") -> Ranks:
        """This process in the default process group; alone if there is none."""
        if not (dist.is_available() and dist.is_initialized()):
            return cls(device=torch.device(device))
        return cls(dist.get_rank(), dist.get_world_size(), torch.device(device))

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Sum of a tensor over the ranks, without gradients; the argument is left as it is."""
        if self.world_size == 1:
            return values.detach().clone()
        total = values.detach().clone()
        dist.all_reduce(total)
        return total

    def differentiable_sum(self, values: Tensor) -> Tensor:
        """Sum of a tensor over the ranks, through which gradients flow.

        Every rank has to compute the same loss from the result. The gradient is then scaled so
        that the mean of the ranks' gradients, which is what `DistributedDataParallel` takes, is
        that of the loss with respect to all ranks' samples.
        """
        if self.world_size == 1:
            return values
        result: Tensor = _SumOverRanks.apply(values, self.world_size)
        return result

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on one rank at least."""
        return bool(self.sum(torch.tensor(float(flag), device=self.device)) > 0)

    def gather(self, value: int) -> list[int]:
        """The value of every rank, in their order."""
        values = torch.zeros(self.world_size, dtype=torch.int64, device=self.device)
        values[self.rank] = value
        return [int(number) for number in self.sum(values).tolist()]

    def barrier(self) -> None:
        """Wait for all ranks."""
        if self.world_size > 1:
            # Unlike dist.barrier, this needs no device to be named for nccl.
            self.any(False)

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model with gradients averaged over the ranks; with one rank the model itself.

        Parameters that need no gradient at this moment are left out for ever: wrap again when
        that changes. Running statistics are each rank's own until `average_`.
        """
        if self.world_size == 1:
            return model
        ids = [self.device] if self.device.type == "cuda" else None
        unsynchronised: Any = {_SYNC_BUFFERS: False}
        return DistributedDataParallel(model, device_ids=ids, **unsynchronised)

    @torch.no_grad()
    def average_(self, values: Iterable[Tensor]) -> None:
        """Set every floating-point tensor (running statistics) to its mean over the ranks."""
        values = [value for value in values if value.is_floating_point()]
        if self.world_size == 1 or not values:
            return
        flat = torch.cat([value.flatten().float() for value in values])
        means = (self.sum(flat) / self.world_size).split([value.numel() for value in values])
        for value, mean in zip(values, means, strict=True):
            value.copy_(mean.view_as(value))


# The name changed, and the old one warns.
_SYNC_BUFFERS = (
    "forward_sync_buffers"
    if "forward_sync_buffers" in inspect.signature(DistributedDataParallel.__init__).parameters
    else "broadcast_buffers"
)


class _SumOverRanks(torch.autograd.Function):
    """All-reduce. The backward pass needs no communication: every rank has the same gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, world_size: int) -> Tensor:
        ctx.world_size = world_size
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        # The loss depends on this rank's values with `gradient`; the mean over the ranks that
        # follows divides by their number.
        return gradient * ctx.world_size, None


def without_sync(net: nn.Module, skip: bool) -> AbstractContextManager[None]:
    """Leave the gradients of a wrapped model unsynchronised where `skip` says so."""
    if skip and isinstance(net, DistributedDataParallel):
        return net.no_sync()
    inner = getattr(net, "_orig_mod", None)
    return without_sync(inner, skip) if isinstance(inner, nn.Module) else nullcontext()


def is_launched() -> bool:
    """Whether `torchrun` started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_silent() -> bool:
    """Whether another process that `torchrun` started speaks for this one."""
    return is_launched() and os.environ.get("RANK", "0") != "0"


@contextmanager
def launched_ranks(device: torch.device) -> Iterator[Ranks]:
    """The ranks that `torchrun` started, or this process alone.

    Args:
        device: where to compute; with several GPUs each rank takes the one of its local number.
    """
    if not is_launched() or dist.is_initialized():
        yield Ranks.of_group(device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks.of_group(device)
    finally:
        dist.destroy_process_group()
