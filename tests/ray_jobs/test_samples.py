"""Samples that Ray Data has read against those that the plain loop reads."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import ray

from odm.core.errors import ArchiveError
from odm.core.progress import unheard
from odm.datasets.orbit import OrbitDataset, OrbitSample
from odm.images.geometry import OrbitImageSettings
from odm.training.samples import HALF_ORBITS, CachedSource
from ray_jobs.cluster.room import Cluster, ClusterError
from ray_jobs.training.samples import HeldSource, _patiently, hold

RELATIVE = OrbitImageSettings.relative()


def held(
    dataset: OrbitDataset, samples: list[OrbitSample], seen: list[int] | None = None
) -> HeldSource:
    return hold(
        samples,
        HALF_ORBITS.load_for("masks", dataset),
        [sample.key.stem for sample in samples],
        [sample.has_object for sample in samples],
        sample_bytes=2 * 64 * 96,
        cpus=2,
        advance=unheard if seen is None else lambda number=1, note="": seen.append(number),
    )


@pytest.mark.parametrize("image", [None, RELATIVE], ids=["resized", "relative"])
def test_images_and_masks_equal_those_of_the_files(
    cluster: Cluster, dataset: Path, image: OrbitImageSettings | None
) -> None:
    opened = OrbitDataset.load(dataset)
    if image is not None:
        opened = OrbitDataset(opened.config.model_copy(update={"image": image}))
    samples = opened.samples("train")
    seen: list[int] = []
    source = held(opened, samples, seen)
    plain = CachedSource(opened, samples, "masks")
    assert (source.keys, source.positive) == (plain.keys, plain.positive)
    assert sum(seen) == len(samples) == 4
    for index in (2, 0, 3, 1):
        for mine, theirs in zip(source.load(index), plain.load(index), strict=True):
            assert mine.dtype == theirs.dtype == np.uint8
            assert np.array_equal(mine, theirs)
            assert not mine.flags.writeable


def noise(index: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(index)
    return rng.integers(0, 255, (300, 400), np.uint8), rng.normal(size=(index, 4))


def test_any_arrays_shared_and_not_copied(cluster: Cluster) -> None:
    keys = [f"n{index}" for index in range(9)]
    source = hold(range(9), noise, keys, [True] * 9, sample_bytes=120_000, cpus=2)
    assert 1 < len(source.blocks) < 9
    for index in (8, 0, 5):
        for mine, theirs in zip(source.load(index), noise(index), strict=True):
            assert mine.dtype == theirs.dtype and np.array_equal(mine, theirs)
    first, again = source.load(5)[0], source.load(5)[0]
    assert first.__array_interface__["data"] == again.__array_interface__["data"]
    far = hold(range(9), noise, keys, [True] * 9, sample_bytes=2_000_000, cpus=1)
    assert len(far.blocks) >= 5  # blocks stay small


def test_a_bad_file_names_itself(cluster: Cluster, dataset: Path, tmp_path: Path) -> None:
    opened = OrbitDataset.load(dataset)
    samples = opened.samples("train")
    bad = tmp_path / samples[1].key.name
    bad.write_bytes(Path(samples[1].path).read_bytes()[:20_000])
    samples[1] = dataclasses.replace(samples[1], path=str(bad))
    with pytest.raises(ArchiveError) as caught:
        held(opened, samples)
    with pytest.raises(ArchiveError) as plain:
        CachedSource(opened, samples, "masks").load(1)
    assert str(caught.value) == str(plain.value)
    assert bad.name in str(caught.value) and "\n" not in str(caught.value)
    assert type(caught.value) is ArchiveError


def test_a_block_that_is_lost_is_read_where_it_is_needed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray_jobs.training.samples.FETCH_S", 0.2)
    keys = [str(index) for index in range(3)]
    source = hold(range(3), noise, keys, [True] * 3, sample_bytes=100, cpus=2)
    # As where it has to be made again, and the workers hold all CPUs.
    waits = ray.remote(noise).options(num_cpus=64).remote(0)
    block, _ = source.places[1]
    source.blocks[block] = waits
    for _ in range(2):
        for mine, theirs in zip(source.load(1), noise(1), strict=True):
            assert np.array_equal(mine, theirs)
    assert source.lost == {block}
    ray.cancel(waits)


def test_a_cluster_that_is_busy_is_not_waited_for_for_ever() -> None:
    def never() -> Iterator[int]:
        yield 1
        threading.Event().wait(5)

    taken = _patiently(never, 0.1)
    assert next(taken) == 1
    with pytest.raises(ClusterError, match="no sample could be read in 0 s: the cluster is busy"):
        next(taken)
    with pytest.raises(ValueError, match="own"):
        list(_patiently(lambda: iter(int(one) for one in ["1", "own"]), 5))


def deadly(index: int) -> tuple[np.ndarray, ...]:
    if index == 2:
        os._exit(1)  # as a segmentation fault or the lack of memory does
    return noise(index)


def test_a_file_that_kills_its_reader_is_not_read_for_ever(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray_jobs.training.samples.READ_RETRIES", 1)
    keys = [str(index) for index in range(3)]
    with pytest.raises(ClusterError, match="reading the samples on Ray failed: ") as caught:
        hold(range(3), deadly, keys, [True] * 3, sample_bytes=100, cpus=2)
    assert "\n" not in str(caught.value)
