"""How a training is spread over workers, for runners with other machinery than this process."""

from __future__ import annotations

from dataclasses import dataclass

from odm.core.checks import check_least
from odm.core.errors import InputError


@dataclass(frozen=True)
class Launch:
    """Where and on how many workers.

    Attributes:
        workers: how many; least and most for as many as there is room for; None for one per GPU,
            or one where there is none.
        cpus: CPUs of every worker, as many as it has threads; None for what there is, shared out.
        gpu: whether every worker has a GPU; None if there are any and ``runtime.device`` allows.
        address: address of a cluster; None for that of the environment, else one on this machine.
        max_failures: times that lost workers are replaced.
        wait_s: seconds to wait for room in a cluster that is busy.
    """

    workers: int | tuple[int, int] | None = None
    cpus: int | None = None
    gpu: bool | None = None
    address: str | None = None
    max_failures: int = 3
    wait_s: float = 600.0

    def __post_init__(self) -> None:
        least, most = self.span or (1, 1)
        if least < 1 or most < least:
            given = f"{least}:{most}" if isinstance(self.workers, tuple) else least
            raise InputError(
                f"--workers {given}: give 1 or more, or the least and the most as MIN:MAX"
            )
        check_least("--cpus-per-worker", self.cpus, 1)
        check_least("--max-failures", self.max_failures, 0)

    @property
    def span(self) -> tuple[int, int] | None:
        """Least and most workers."""
        if isinstance(self.workers, int):
            return self.workers, self.workers
        return self.workers


def parse_workers(text: str | None) -> int | tuple[int, int] | None:
    """``4`` or ``2:8``.

    Raises:
        InputError: it is neither.
    """
    if text is None:
        return None
    least, colon, most = text.partition(":")
    try:
        return (int(least), int(most)) if colon else int(least)
    except ValueError:
        raise InputError(
            f"--workers {text}: give a number, or the least and the most as MIN:MAX"
        ) from None
