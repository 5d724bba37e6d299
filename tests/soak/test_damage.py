"""Random damage, for minutes or hours: a reader gives data or an `ArchiveError`, nothing else.

Each round runs in a process of its own, because HDF5 itself may crash on a damaged file; a crash is
counted and shown, and is what the reprocessing has to isolate.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from pathlib import Path

import pytest

from odm.archive.orbit.reader import read_orbit
from odm.core.errors import ArchiveError
from tests.lookalike import contents, write

SECONDS = float(os.environ.get("SOAK_SECONDS", "300"))


def damage(whole: bytes, seed: int) -> bytes:
    """Cut, overwrite, zero, or flip bits, most of it in the first kB where the structure lies."""
    rng = random.Random(seed)
    data = bytearray(whole)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(min(len(data), rng.choice([100, 8_000, len(data)])))
        length = rng.choice([1, 4, 64, 4096])
        end = min(len(data), start + length)
        kind = rng.choice(["cut", "noise", "zero", "flip"])
        if kind == "cut":
            del data[start:]
        elif kind == "noise":
            data[start:end] = rng.randbytes(end - start)
        elif kind == "zero":
            data[start:end] = bytes(end - start)
        elif end > start:
            data[start] ^= 1 << rng.randrange(8)
        if not data:
            break
    return bytes(data)


def read_damaged(folder: Path, seeds: range) -> None:
    """Read a damaged file per seed; any exception but the right one ends the process with 1."""
    form = {"chunks": (8, 1024), "compression": "gzip"} if seeds.start % 2 else {}
    path = write(folder, contents(rows=20), name=f"{seeds.start}.h5", **form)
    whole = path.read_bytes()
    for seed in seeds:
        path.write_bytes(damage(whole, seed))
        try:
            read_orbit(path, "xyz")
        except ArchiveError as error:
            assert "\n" not in str(error)
        except BaseException:
            print(f"seed {seed}", flush=True)
            raise
    path.unlink()


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_random_damage(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    end = time.monotonic() + SECONDS
    first, step, crashed = 0, 400, []
    while time.monotonic() < end:
        worker = context.Process(target=read_damaged, args=(tmp_path, range(first, first + step)))
        worker.start()
        worker.join(120)
        if worker.is_alive():
            worker.kill()
            pytest.fail(f"reading hangs, seeds {first} to {first + step}")
        if worker.exitcode and worker.exitcode < 0:
            crashed.append((first, -worker.exitcode))
        else:
            assert worker.exitcode == 0, f"seeds {first} to {first + step}"
        first += step + 1
    print(f"{first} damaged files; HDF5 crashed in {crashed}")
    assert first > 0
