"""Random damage to ionograms: a reader gives data or an `ArchiveError`, nothing else."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest

from odm.archive.ionogram.matrix import write_matrix
from odm.archive.ionogram.reader import open_ionogram
from odm.core.errors import ArchiveError
from tests.ionogram_files import CHIRP, VIPIR, contents, write_chirpsounder, write_npy, write_vipir
from tests.soak.test_damage import SECONDS, damage


def read_damaged(folder: Path, seeds: range) -> None:
    """Read a damaged file of every format per seed; another exception ends the process with 1."""
    write_matrix(folder / "a.npz", *contents().values())
    write_npy(folder / "a.npy", contents())
    write_chirpsounder(folder / CHIRP)
    write_vipir(folder / VIPIR)
    whole = {path: path.read_bytes() for path in folder.iterdir() if path.suffix != ".json"}
    for seed in seeds:
        for path, data in whole.items():
            path.write_bytes(damage(data, seed))
            try:
                open_ionogram(path)
            except ArchiveError as error:
                assert "\n" not in str(error)
            except BaseException:
                print(f"{path.name}, seed {seed}", flush=True)
                raise


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 300)
def test_damaged_ionograms(tmp_path: Path) -> None:
    ends, first = time.monotonic() + SECONDS, 0
    context = multiprocessing.get_context("spawn")
    while time.monotonic() < ends:
        folder = tmp_path / str(first)
        folder.mkdir()
        worker = context.Process(target=read_damaged, args=(folder, range(first, first + 200)))
        worker.start()
        worker.join()
        # A signal is HDF5 itself; reprocessing isolates that.
        assert worker.exitcode is not None
        assert worker.exitcode <= 0, "see the seed above"
        first += 200
