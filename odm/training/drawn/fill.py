"""Draws the half-orbits of a data set before any training needs them."""

from __future__ import annotations

from contextlib import closing
from itertools import chain

from odm.core.checks import check_whole
from odm.core.progress import Advance, unheard
from odm.training.drawn.dataset import DrawnDataset
from odm.training.drawn.drawer import Drawer


def fill_cache(
    dataset: DrawnDataset,
    *,
    epochs: int = 1,
    workers: int = 1,
    limit_gb: float = 20.0,
    advance: Advance = unheard,
) -> int:
    """Put the half-orbits of the first epochs, and those for validation, into the user's cache.

    What is there already is not drawn again.

    Args:
        dataset: what is drawn.
        epochs: epochs of a training.
        workers: processes that draw.
        limit_gb: size of the cache, in 1e9 bytes.
        advance: called after every half-orbit.

    Returns:
        Number of half-orbits.

    Raises:
        InputError: they do not fit into the cache, or it cannot be written.
        TrainingError: a process that draws has died.
    """
    check_whole("workers", workers, 1)
    check_whole("epochs", epochs, 1)
    training = dataset.pools["train"]
    samples = list(
        chain(
            dataset.samples("train"),
            dataset.samples("validation"),
            *(training.fresh_samples(epoch) for epoch in range(1, epochs)),
        )
    )
    dataset.check_fits(limit_gb, len(samples))
    with closing(Drawer(workers, limit_gb * 1e9)) as drawer:
        drawer.expect(sample.drawing for sample in samples)
        for sample in samples:
            drawer.load(sample.drawing)
            advance()
    return len(samples)
