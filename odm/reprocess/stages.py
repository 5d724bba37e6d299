"""The stages that every runner goes through, so that all of them give the same outcomes.

read (a file → an image) → model (an image → what is seen in it, see `odm.reprocess.inference`) →
finish (that → an outcome). Reading and finishing import no torch: their processes start quickly.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from odm.catalog.outcomes import Input, OutcomeKind, outcome_table
from odm.core.errors import AccessError, ArchiveError, InputError, TransientError
from odm.images.canvas import clipped_share

RETRY_AFTER_S = (0.5, 2.0, 8.0)
"""Pauses before a fault of the store is taken for more than a moment's."""

Images = NDArray[np.uint8]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class InputResult:
    """What became of one input: an outcome to commit, or the reason why it is left undone."""

    input: Input
    outcome: pa.Table | None = None
    undone: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A read input on its way to the model.

    Attributes:
        input: the input.
        image: (H, W) or (H, W, C) uint8, all of one size in a campaign; None once the model has
            seen it.
        facts: what `Stages.finish` needs to know of the input.
        shares: shares of valid and of clipped pixels; see `pixel_shares`.
    """

    input: Input
    image: Images | None
    facts: Any
    shares: dict[str, float] = field(default_factory=dict)


class Stages(ABC):
    """Reading and finishing the inputs of one kind; goes to other processes.

    Attributes:
        kind: kind of the inputs.
    """

    kind: ClassVar[OutcomeKind]

    @property
    def finishing_leads(self) -> bool:
        """Whether finishing takes more of a core than reading and the model on a CPU together."""
        return False

    def read(self, input: Input) -> Draft | InputResult:
        """Return the image of an input, or what became of the input."""
        return guarded(self.kind, input, lambda: self._read(input))

    @abstractmethod
    def is_clear(self, seen: Any) -> bool:
        """Whether a look at what the model sees is enough to say that nothing will be found."""

    def finish(self, draft: Draft, seen: Any) -> InputResult:
        """Return the outcome of an input.

        Args:
            draft: without its image.
            seen: what the model sees in it: in half-orbits a map of probability (H, W) uint8, in
                ionograms `odm.findings.layers.SeenLayers`; None where `is_clear`.
        """

        def finished() -> InputResult:
            return InputResult(draft.input, self._finish(draft, seen))

        return guarded(self.kind, draft.input, finished)

    @abstractmethod
    def _read(self, input: Input) -> Draft:
        """Read an input, without a guard."""

    @abstractmethod
    def _finish(self, draft: Draft, seen: Any) -> pa.Table:
        """Make the outcome of an input, without a guard."""


def pixel_shares(image: Images, valid_share: float) -> dict[str, float]:
    """Return the columns of an outcome that tell of its image's pixels."""
    low, high = clipped_share(image)
    return {"valid_share": valid_share, "clipped_low": low, "clipped_high": high}


def guarded(
    kind: OutcomeKind, input: Input, work: Callable[[], Answer | InputResult]
) -> Answer | InputResult:
    """Do a stage's work on one input; whatever it raises is that input's own matter.

    Returns:
        What ``work`` returns, or that the input is quarantined with the reason, where the file is
        bad or the work failed, or left undone, where the store or the user's access is at fault.

    Raises:
        MemoryError: to be tried again alone, since the others may have taken the memory.
    """
    for pause in (*RETRY_AFTER_S, None):
        try:
            return work()
        except AccessError as error:
            return InputResult(input, undone=error.reason)
        except ArchiveError as error:
            return quarantined(kind, input, error.reason)
        except TransientError as error:
            if pause is None:
                return InputResult(input, undone=error.reason)
            time.sleep(pause)
        except InputError as error:
            return InputResult(input, undone=str(error))
        except MemoryError:
            raise
        except Exception as error:  # one input must not stop the rest
            text = (str(error).strip().splitlines() or [""])[0][:200]
            reason = f"unexpected {type(error).__name__}: {text}".rstrip(": ")
            return quarantined(kind, input, reason)
    raise AssertionError("the last attempt returns")


def quarantined(kind: OutcomeKind, input: Input, reason: str) -> InputResult:
    """Return the outcome of a bad input."""
    return InputResult(input, outcome_table(kind, input, reason=reason))
