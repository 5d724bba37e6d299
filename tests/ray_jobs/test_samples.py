"""Samples that Ray Data has read against those that the plain loop reads."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest

from odm.archive.errors import ArchiveError
from odm.archive.samples import Dataset
from odm.training.feed import DatasetSource
from ray_jobs.cluster import Cluster
from ray_jobs.samples import hold, image_and_mask


def held(cluster: Cluster, dataset: Dataset, samples: list, **options: object):  # type: ignore
    from functools import partial

    return hold(
        samples,
        partial(image_and_mask, dataset.settings),
        [sample.key.stem for sample in samples],
        [sample.has_nucleus for sample in samples],
        cpus=cluster.cpus,
        **{"sample_bytes": 2 * 64 * 96, **options},
    )


def test_images_and_masks_equal_those_of_the_files(cluster: Cluster, dataset: Path) -> None:
    opened = Dataset.load(dataset)
    samples = opened.samples("train")
    seen: list[int] = []
    source = held(cluster, opened, samples, advance=seen.append)
    plain = DatasetSource(samples, opened.settings)
    assert (source.keys, source.positive) == (plain.keys, plain.positive)
    assert sum(seen) == len(samples) == 4
    for index in (2, 0, 3, 1):
        for mine, theirs in zip(source.load(index), plain.load(index), strict=True):
            assert mine.dtype == theirs.dtype == np.uint8
            assert np.array_equal(mine, theirs)
            assert not mine.flags.writeable


def test_a_block_is_shared_and_not_copied(cluster: Cluster, dataset: Path) -> None:
    opened = Dataset.load(dataset)
    source = held(cluster, opened, opened.samples("train") * 3)
    assert len(source.blocks) <= 4  # few blocks for small images, and more than one worker
    first, again = source.load(5)[0], source.load(5)[0]
    assert first.__array_interface__["data"] == again.__array_interface__["data"]


def test_a_bad_file_names_itself(cluster: Cluster, dataset: Path, tmp_path: Path) -> None:
    opened = Dataset.load(dataset)
    samples = opened.samples("train")
    bad = tmp_path / samples[1].key.name
    bad.write_bytes(Path(samples[1].path).read_bytes()[:20_000])
    samples[1] = dataclasses.replace(samples[1], path=str(bad))
    with pytest.raises(ArchiveError) as caught:
        held(cluster, opened, samples)
    with pytest.raises(ArchiveError) as plain:
        DatasetSource(samples, opened.settings).load(1)
    assert str(caught.value) == str(plain.value)
    assert bad.name in str(caught.value) and "\n" not in str(caught.value)
    assert type(pickle.loads(pickle.dumps(caught.value))) is ArchiveError
