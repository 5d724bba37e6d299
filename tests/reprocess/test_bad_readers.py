"""Files that kill their reader, hang it or take all memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from odm.catalog.campaign import load_campaign
from odm.catalog.compare import compare
from odm.reprocess.driver import reprocess
from odm.reprocess.runners import readers
from odm.reprocess.runners.local import run_local
from tests.lookalike import renamed
from tests.reprocess import small


def test_a_file_that_kills_its_reader_is_tried_again_alone(tmp_path: Path) -> None:
    small.write_archive(tmp_path / "archive", 6)
    small.write_model(tmp_path / "model")
    kills = {"read_kills": renamed(small.FIRST + 1), "finish_kills": renamed(small.FIRST + 2)}
    summary = reprocess(small.deadly(small.order(tmp_path), **kills), run_local)
    assert summary.counts == {"detected": 2, "clear": 2, "quarantined": 2}
    found = small.reasons(tmp_path / "campaign")
    assert set(found) == set(kills.values())
    assert all("kills its reader" in reason and "SIGSEGV" in reason for reason in found.values())
    # Once is no reason for quarantine.
    order = small.deadly(
        small.order(tmp_path, "second"), read_kills="h5", once=str(tmp_path / "once")
    )
    assert reprocess(order, run_local).counts == {"detected": 3, "clear": 3, "quarantined": 0}
    small.run(tmp_path, "clean")
    assert compare(load_campaign(tmp_path / "second"), load_campaign(tmp_path / "clean")).equal


def test_a_file_at_which_its_reader_hangs_is_quarantined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "ANSWER_LIMIT_S", 5.0)
    small.write_archive(tmp_path / "archive", 2)
    small.write_model(tmp_path / "model")
    hanging = renamed(small.FIRST + 1)
    order = small.deadly(small.order(tmp_path), read_kills=hanging, death="hang")
    assert reprocess(order, run_local).done == 2
    found = small.reasons(tmp_path / "campaign")
    assert set(found) == {hanging}
    assert "gave no answer in 5 s" in found[hanging]


def test_memory_that_runs_out_is_tried_again_alone(tmp_path: Path) -> None:
    small.write_archive(tmp_path / "archive", 4)
    small.write_model(tmp_path / "model")
    kills = {"read_kills": renamed(small.FIRST + 1), "finish_kills": renamed(small.FIRST + 2)}
    summary = reprocess(small.deadly(small.order(tmp_path), death="memory", **kills), run_local)
    assert summary.counts == {"detected": 1, "clear": 1, "quarantined": 2}
    said = "kills its reader: the process ran out of memory, and again when tried alone"
    assert small.reasons(tmp_path / "campaign") == dict.fromkeys(kills.values(), said)
    once = {"read_kills": "h5", "once": str(tmp_path / "once"), "death": "memory"}
    summary = reprocess(small.deadly(small.order(tmp_path, "second"), **once), run_local)
    assert summary.counts == {"detected": 2, "clear": 2, "quarantined": 0}
