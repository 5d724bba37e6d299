"""A cell of a comparison counts while its case, settings and data are those that are meant."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import cells

    return cells


def test_stale_cells_are_neither_kept_nor_shown(
    cells: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = argparse.Namespace(epochs=2, crop=64, work=tmp_path, half_orbits=4)
    budget = {"epochs": 2}
    case = cells.Case("odm_unet_small", {"scse": False})

    def digest(case: Any = case, seed: int = 0, data: str = "data") -> str:
        found: str = cells.digest_of(case, seed, options, lambda size, mask: [data, mask])
        return found

    mine = digest()
    assert digest() == mine
    more = replace(case, settings={"optimiser.learning_rate": 1e-4})
    changed = {
        digest(replace(case, options={})),
        digest(more),
        digest(replace(case, mask="box")),
        digest(seed=1),
        digest(data="other"),
        digest(None),
    }
    assert len(changed | {mine}) == 7

    config = tmp_path / "shipped.yaml"
    config.write_text(cells.CONFIG.read_text().replace("weight_decay: ", "weight_decay: 1"))
    assert config.read_text() != cells.CONFIG.read_text()
    with monkeypatch.context() as patch:
        patch.setattr(cells, "CONFIG", config)
        assert digest() not in {mine, *changed}

    (tmp_path / "cells").mkdir()
    marks = {"mine": mine, "stale": digest(data="other"), "old": None}
    for name, mark in marks.items():
        cell = {"model": "m", "seed": 0, "budget": budget, "made": name}
        cell |= {} if mark is None else {"digest": mark}
        (tmp_path / "cells" / f"{name}.json").write_text(json.dumps(cell))
    shown = cells.current_cells(tmp_path, budget, ["m"], lambda name, seed: digest(seed=seed))
    assert [cell["made"] for cell in shown] == ["mine"]
    kept = [cells.is_current(tmp_path / "cells" / f"{name}.json", mine) for name in (*marks, "no")]
    assert kept == [True, False, False, False]
