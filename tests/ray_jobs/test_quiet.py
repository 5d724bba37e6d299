"""One line of Ray's is dropped, and nothing else."""

from __future__ import annotations

import os
import sys

import pytest

from ray_jobs.quiet import dropped

NOISE = (
    b"[2026-11-22 19:03:45,842 E 21393 21673] core_worker.cc:2465: Actor with class name: "
    b"'MapWorker(MapBatches(Modeller))' and ID: '120b' has constructor arguments in the object "
    b"store and max_restarts > 0. If the arguments go out of scope or are lost, ...\n"
)


def test_one_line_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    with dropped():
        os.write(2, b"[E] core_worker.cc:2465: something else\n")
        os.write(2, NOISE[:70])
        os.write(2, NOISE[70:] + b"last")
        print("from Python", file=sys.stderr)
    os.write(2, b"\nafter\n" + NOISE)
    said = capfd.readouterr().err
    assert said.count("something else") == said.count("from Python") == said.count("after") == 1
    assert "last\nafter\n" in said or said.index("last") < said.index("after")
    assert said.count("MapWorker") == 1
    assert said.index("MapWorker") > said.index("after")
