"""The stages that every runner goes through, so that all of them give the same outcomes.

read (a file → an image) → predict (images → what a model sees in them, see `model`) → finish (that
→ an outcome). The first and the last import no torch: reading processes start quickly. Here are the
stages of half-orbits; `odm.reprocess.stages.ionogram` has those of ionograms.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from odm.archive.orbit.reader import Orbit
from odm.catalog.orbit.inputs import ORBITS, decimated_track
from odm.catalog.outcomes import Input, OutcomeKind, outcome_table
from odm.core.errors import AccessError, ArchiveError, InputError, TransientError
from odm.findings.regions import (
    Region,
    RegionSettings,
    find_regions,
    level_of,
    region_rows,
)
from odm.images.canvas import clipped_share
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry
from odm.images.spectrogram import geometry_of, read_spectrogram

RETRY_AFTER_S = (0.5, 2.0, 8.0)
"""Pauses before a fault of the store is taken for more than a moment's."""

Images = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one input: an outcome to commit, or the reason why it is left undone."""

    one: Input
    outcome: pa.Table | None = None
    undone: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A read input on its way to the model.

    Attributes:
        one: the input.
        image: (H, W) uint8, all of one size in a campaign; None once the model has seen it.
        about: what `finish` needs to know of it.
        shares: of valid and of clipped pixels.
    """

    one: Input
    image: Images | None
    about: Any
    shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrbitFacts:
    """A half-orbit without its spectra, and the share of valid values in each of its rows."""

    orbit: Orbit
    valid_by_row: NDArray[np.floating[Any]]


class Stages(Protocol):
    """Reading and finishing one kind of input; goes to other processes."""

    @property
    def kind(self) -> OutcomeKind:
        """Of its inputs."""
        ...

    @property
    def finishing_leads(self) -> bool:
        """Whether finishing takes more of a core than reading and the model on a CPU together."""
        ...

    def read(self, one: Input) -> Draft | Result:
        """The image of an input, or what became of it."""
        ...

    def is_clear(self, seen: Any) -> bool:
        """Whether a look at what the model sees is enough to say that nothing will be found."""
        ...

    def finish(self, draft: Draft, seen: Any) -> Result:
        """The outcome of an input.

        Args:
            draft: without its image.
            seen: what the model sees in it: of half-orbits a map of probability (H, W) uint8, of
                ionograms `odm.findings.layers.SeenLayers`; None where `is_clear`.
        """
        ...


@dataclass(frozen=True)
class OrbitStages:
    """Half-orbits: regions in the spectrogram of one component.

    Attributes:
        image: how a spectrogram becomes an image; the model's.
        regions: how a probability map becomes regions.
        model: digest, for the catalog.
    """

    image: OrbitImageSettings
    regions: RegionSettings
    model: str
    kind: OutcomeKind = ORBITS
    finishing_leads: bool = False

    def read(self, one: Input) -> Draft | Result:
        """See `Stages`."""
        found: Draft | Result = guarded(self.kind, one, lambda: self._read(one))
        return found

    def _read(self, one: Input) -> Draft:
        image, orbit = read_spectrogram(one.path, self.image)
        low, high = clipped_share(image)
        valid = _valid_by_row(image, geometry_of(orbit, self.image))
        shares = {
            "valid_share": float(valid.mean()),
            "clipped_low": low,
            "clipped_high": high,
        }
        return Draft(one, image, OrbitFacts(orbit, valid), shares)

    def is_clear(self, seen: Images) -> bool:
        """See `Stages`."""
        return bool(seen.max() < level_of(self.regions.threshold))

    def finish(self, draft: Draft, seen: Images | None) -> Result:
        """See `Stages`."""
        found = guarded(self.kind, draft.one, lambda: self._finish(draft, seen))
        assert isinstance(found, Result)
        return found

    def _finish(self, draft: Draft, probability: Images | None) -> Result:
        one, facts = draft.one, draft.about
        rows: list[dict[str, Any]] = []
        if probability is not None:
            geometry = geometry_of(facts.orbit, self.image)
            rows = self._measured(one, find_regions(probability, geometry, self.regions))
        track = decimated_track(facts.orbit, facts.valid_by_row)
        outcome = outcome_table(self.kind, one, findings=rows, track=track, shares=draft.shares)
        return Result(one, outcome)

    def _measured(self, one: Input, regions: Sequence[Region]) -> list[dict[str, Any]]:
        """Rows of the catalog; without X and Y where only those are missing or bad."""
        try:
            return region_rows(one.path, regions, source=one.source, model=self.model)[1]
        except ArchiveError:
            return region_rows(
                one.path,
                regions,
                source=one.source,
                model=self.model,
                components=self.image.component,
            )[1]


def guarded(kind: OutcomeKind, one: Input, work: Any) -> Any:
    """Do a stage's work on one input; whatever it raises is that input's own matter.

    Returns:
        What ``work`` gives, or a `Result`: quarantined with the reason where the file is bad or
        the work failed, left undone where the store or the user's access is at fault.

    Raises:
        MemoryError: to be tried again alone, since the others may have taken the memory.
    """
    for pause in (*RETRY_AFTER_S, None):
        try:
            return work()
        except AccessError as error:
            return Result(one, undone=error.reason)
        except ArchiveError as error:
            return quarantined(kind, one, error.reason)
        except TransientError as error:
            if pause is None:
                return Result(one, undone=error.reason)
            time.sleep(pause)
        except InputError as error:
            return Result(one, undone=str(error))
        except MemoryError:
            raise
        except Exception as error:  # one input must not stop the rest
            text = (str(error).strip().splitlines() or [""])[0][:200]
            return quarantined(kind, one, f"unexpected {type(error).__name__}: {text}".rstrip(": "))
    raise AssertionError("the last attempt returns")


def quarantined(kind: OutcomeKind, one: Input, reason: str) -> Result:
    """The outcome of a bad input."""
    return Result(one, outcome_table(kind, one, reason=reason))


def _valid_by_row(image: Images, geometry: SpectrogramGeometry) -> NDArray[np.float64]:
    """(N,) share of valid pixels in each row of the file."""
    height, width = geometry.content
    share = (image[:height, :width] > 0).mean(axis=0)
    rows = geometry.native_shape[1]
    if rows == width:
        return share
    nearest = np.minimum(((np.arange(rows) + 0.5) * width / rows).astype(np.intp), width - 1)
    return np.asarray(share[nearest])
