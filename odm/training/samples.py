"""Samples of a data set as a training reads them: their names, and their images with labels.

Nothing here imports torch, so that a worker that only reads starts in a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from odm.datasets.ionogram import (
    load_ionogram_sample,
    load_segmented_ionogram,
)
from odm.datasets.orbit import load_orbit_sample

Arrays = tuple[NDArray[Any], ...]
Load = Callable[[Any], Arrays]
"""Reads one sample of a data set: its image and its labels."""


class Source(Protocol):
    """Samples that can be had one by one, from several threads."""

    @property
    def keys(self) -> Sequence[str]:
        """Their names, all different; the same on every rank."""
        ...

    @property
    def positive(self) -> Sequence[bool]:
        """Which of them have something to find."""
        ...

    def load(self, index: int) -> Any:
        """One sample, which the caller leaves unchanged."""
        ...


@runtime_checkable
class ChangingSource(Source, Protocol):
    """A source of other samples in every epoch, always of as many; by itself that of epoch 0."""

    def at_epoch(self, epoch: int) -> ChangingSource:
        """The samples of an epoch, counted from 0: the same whenever they are asked for."""
        ...

    def expect(self, indices: Sequence[int]) -> None:
        """Hear which samples will be loaded, in their order, so that they are ready by then."""
        ...


def at_epoch(source: Source, epoch: int) -> Source:
    """The samples that a source has in an epoch, counted from 0."""
    return source.at_epoch(epoch) if isinstance(source, ChangingSource) else source


@dataclass(frozen=True)
class SampleReader:
    """How the samples of one kind of input are named and read.

    Attributes:
        label: what one label is called.
        name: gives the name of a sample, which no other sample has.
        loads: reads a sample by its labels, as ``load(sample, settings=image settings)``: with
            ``masks`` an image (H, W) or (H, W, C) and a mask (H, W) uint8, with ``boxes`` an image
            (H, W) and boxes (N, 5).
        resized: image settings, beside height and width, of images of any size.
        sources: gives the sources of both parts while a context lasts, from the data set and
            ``runtime`` of the settings; None reads samples one by one.
    """

    label: str
    name: Callable[[Any], str]
    loads: Mapping[str, Callable[..., Arrays]]
    resized: Mapping[str, Any] = field(default_factory=dict)
    sources: Callable[..., AbstractContextManager[Mapping[str, Source]]] | None = None

    def load_for(self, labels: str, dataset: Any) -> Load:
        """What reads one sample of a data set; it can be sent to another process."""
        return partial(self.loads[labels], settings=dataset.settings)


def _load_orbit_mask(sample: Any, settings: Any) -> Arrays:
    """Image (H, W) or (H, W, C) and mask (H, W) of a half-orbit, uint8."""
    image, mask, _ = load_orbit_sample(sample, settings)
    return image, mask


HALF_ORBITS = SampleReader(
    "nucleus",
    name=lambda sample: sample.key.stem,
    loads={"masks": _load_orbit_mask},
    resized={"mode": "resized"},
)
IONOGRAMS = SampleReader(
    "layer",
    name=lambda sample: sample.key.identity,
    loads={"masks": load_segmented_ionogram, "boxes": load_ionogram_sample},
)


def reader_of(dataset: Any) -> SampleReader:
    """How the samples of an opened data set are named and read."""
    reader: SampleReader = dataset.kind.load("samples")
    return reader


class CachedSource:
    """Samples that are read one by one; those that were read are kept as memory allows.

    Args:
        dataset: the opened data set.
        samples: some of its samples.
        labels: ``masks`` or ``boxes``.
        cache_bytes: memory for what was read.
    """

    def __init__(
        self, dataset: Any, samples: Sequence[Any], labels: str, cache_bytes: float = 0
    ) -> None:
        reader = reader_of(dataset)
        self.keys = [reader.name(sample) for sample in samples]
        self.positive = [sample.has_object for sample in samples]
        self._samples = samples
        self._read = reader.load_for(labels, dataset)
        self._room = cache_bytes
        self._kept: dict[int, Arrays] = {}
        self._lock = threading.Lock()

    def load(self, index: int) -> Arrays:
        """Image and labels, read-only.

        Raises:
            ArchiveError, AnnotationError: the file or its annotation is bad.
        """
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        arrays = self._read(self._samples[index])
        for array in arrays:
            array.setflags(write=False)
        size = sum(array.nbytes for array in arrays)
        with self._lock:
            if self._room >= size and index not in self._kept:
                self._room -= size
                self._kept[index] = arrays
        return arrays
