"""Half-orbits that are drawn while a training runs, as a source of the training loop."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from typing import Any

from odm.training.drawn.drawer import Drawer
from odm.training.drawn.drawing import Drawing, Drawn
from odm.training.drawn.pool import DrawnSample, Pool
from odm.training.samples import SampleReader

AHEAD_EPOCHS = 2
"""Epochs whose new half-orbits are drawn before they begin."""


class Shelf:
    """Images in memory, of the half-orbits in use.

    Args:
        drawer: what has the others.
        room_bytes: memory for them.
    """

    def __init__(self, drawer: Drawer, room_bytes: float) -> None:
        self.drawer = drawer
        self.room_bytes = self._free = room_bytes
        self._lock = threading.Lock()
        self._kept: dict[str, Drawn] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.drawer, self.room_bytes)

    def load(self, sample: DrawnSample) -> Drawn:
        """Return image and mask, read-only."""
        drawn = self._kept.get(sample.name)
        if drawn is not None:
            return drawn
        drawn = self.drawer.load(sample.drawing)
        for array in drawn:
            array.setflags(write=False)
        size = sum(array.nbytes for array in drawn)
        with self._lock:
            if self._free >= size and sample.name not in self._kept:
                self._free -= size
                self._kept[sample.name] = drawn
        return drawn

    def keep_only(self, names: Sequence[str]) -> None:
        """Forget all others."""
        with self._lock:
            for name in self._kept.keys() - set(names):
                self._free += sum(array.nbytes for array in self._kept.pop(name))


class DrawnSource:
    """The half-orbits in use in one epoch; see `odm.training.samples.ChangingSource`.

    Args:
        pool: all of them.
        shelf: where they are had.
        afterwards: what is drawn when all that this epoch needs is there.
        epoch: counted from 0.
    """

    def __init__(
        self, pool: Pool, shelf: Shelf, afterwards: Sequence[Drawing] = (), epoch: int = 0
    ) -> None:
        self.pool, self.shelf, self.afterwards, self.epoch = pool, shelf, afterwards, epoch
        self.samples = pool.samples(epoch)
        self.keys = [sample.name for sample in self.samples]
        self.positive = [sample.has_object for sample in self.samples]
        self._later = self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.pool, self.shelf, self.afterwards, self.epoch)

    def at_epoch(self, epoch: int) -> DrawnSource:
        """The half-orbits in use in an epoch; memory is given free of what is in use no more."""
        if self._later.epoch != epoch and self.pool.fresh:
            self._later = DrawnSource(self.pool, self.shelf, self.afterwards, epoch)
            self.shelf.keep_only(self._later.keys)
        return self._later

    def expect(self, indices: Sequence[int]) -> None:
        """Draw what will be needed, in this order, and then what may be needed later."""
        epochs = range(self.epoch + 1, self.epoch + 1 + AHEAD_EPOCHS)
        fresh = chain.from_iterable(map(self.pool.fresh_samples, epochs))
        needed = [self.samples[index].drawing for index in indices]
        if not self.pool.fresh and not self.afterwards:
            self.shelf.drawer.expect(needed)
            return
        # Any other of the epoch may be a donor of nuclei.
        needed += [sample.drawing for sample in self.samples]
        later = chain(self.afterwards, (sample.drawing for sample in fresh))
        self.shelf.drawer.expect(needed, later)

    def load(self, index: int) -> Drawn:
        """Image and mask, read-only.

        Raises:
            InputError: the cache cannot be written.
            TrainingError: a process that draws has died.
        """
        return self.shelf.load(self.samples[index])


def sources_of(dataset: Any, drawer: Drawer, memory_bytes: float) -> dict[str, DrawnSource]:
    """Return the sources of both parts, ``training`` and ``validation``.

    Args:
        dataset: a `odm.training.drawn.dataset.DrawnDataset`.
        drawer: what draws them.
        memory_bytes: memory for images.

    Raises:
        InputError: the cache is too small for what is in use.
    """
    dataset.check_fits(drawer.limit_bytes / 1e9)
    training, validation = dataset.pools["train"], dataset.pools["validation"]
    validated = Shelf(drawer, min(memory_bytes / 2, validation.size * dataset.sample_bytes))
    trained = Shelf(drawer, memory_bytes - validated.room_bytes)
    later = [sample.drawing for sample in validation.samples(0)]
    return {
        "training": DrawnSource(training, trained, later),
        "validation": DrawnSource(validation, validated),
    }


@contextmanager
def draw_here(dataset: Any, runtime: Any) -> Iterator[dict[str, DrawnSource]]:
    """Draw both parts of a data set in processes of this machine while the body runs.

    Args:
        dataset: a `odm.training.drawn.dataset.DrawnDataset`.
        runtime: settings `draw_workers`, `drawn_gb` and `cache_gb`.

    Raises:
        InputError: the cache is too small for what is in use.
    """
    with closing(Drawer(runtime.draw_workers, runtime.drawn_gb * 1e9)) as drawer:
        yield sources_of(dataset, drawer, runtime.cache_gb * 1e9)


def _read_drawn(sample: DrawnSample, settings: Any) -> Drawn:
    """Image and mask of a half-orbit, for who needs it here and now."""
    return Drawer(0, float("inf")).load(sample.drawing)


DRAWN_HALF_ORBITS = SampleReader(
    "nucleus",
    name=lambda sample: sample.name,
    loads={"masks": _read_drawn},
    sources=draw_here,
)
