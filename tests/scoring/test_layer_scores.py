import json

import numpy as np
import pytest

from odm.catalog.bootstrap import wilson
from odm.scoring.evaluation import Evaluation
from odm.scoring.ionogram.boxes import ScoredIonogram, fit_boxes
from odm.scoring.ionogram.pictures import LayerExample, layer_figures
from odm.scoring.ionogram.sheet import NOTHING, PAPER, confusion, layer_sheet

NAMES = ("Es", "F")
ES, F = (0, 0, 60, 40, 80), (1, 20, 0, 40, 50)
"""True boxes: class and edges."""


def ionogram(truth: list, found: list[tuple], name: str = "a", group: str = "") -> ScoredIonogram:
    """Found: class, score, left, top, right, bottom."""
    rows = np.array(found, np.float64).reshape(-1, 6)
    return ScoredIonogram(
        name,
        np.array(truth, np.float32).reshape(-1, 5),
        rows[:, 2:],
        rows[:, 1],
        rows[:, 0].astype(np.int64),
        group,
    )


def scored() -> list[ScoredIonogram]:
    return [
        ionogram([ES, F], [(0, 0.9, 0, 60, 40, 80), (1, 0.8, 20, 0, 40, 45)], "both", "one"),
        ionogram([ES], [(1, 0.7, 0, 60, 40, 80), (0, 0.2, 0, 60, 40, 80)], "swapped", "one"),
        ionogram([F], [], "missed", "two"),
        ionogram([], [(1, 0.6, 20, 0, 40, 50)], "free", "two"),
        ionogram([], [(1, 0.1, 20, 0, 40, 50)], "really free", "two"),
    ]


def test_what_was_found_as_what() -> None:
    table = confusion([one.above(0.5) for one in scored()], NAMES)
    assert table["Es"] == {"Es": 1, "F": 1, NOTHING: 0}
    assert table["F"] == {"Es": 0, "F": 1, NOTHING: 1}
    assert table[NOTHING] == {"Es": 0, "F": 1, NOTHING: 0}
    # A box of the right class is preferred to a better one of the wrong class.
    both = ionogram([ES], [(1, 0.9, 0, 60, 40, 80), (0, 0.5, 0, 60, 40, 70)])
    assert confusion([both], NAMES)["Es"] == {"Es": 1, "F": 0, NOTHING: 0}


def test_the_sheet() -> None:
    sheet = layer_sheet(scored(), NAMES, 0.5, {"model": "m"}, "Simulated.")
    es, f = sheet.layers[:2]
    assert (es["truths"], es["found"], es["true"]) == (2, 1, 1)
    assert (f["truths"], f["found"], f["true"]) == (2, 3, 1)
    assert f["precision"] == pytest.approx(1 / 3) and f["f1"] == pytest.approx(0.4)
    assert es["ap25"] == pytest.approx(1.0)  # the second Es was found too, at 0.2
    assert es["best_threshold"] == 0.2
    assert sheet.layer_free["ionograms"] == 2 and sheet.layer_free["with_false_layers"] == 1
    assert sheet.counts == {"ionograms": 5, "without_layers": 2, "Es": 2, "F": 2}
    assert sheet.curves["0.25"]["F"]["threshold"] == [0.8, 0.7, 0.6, 0.1]
    assert [row["group"] for row in sheet.groups] == ["one", "two"]
    text = sheet.to_text()
    assert "Simulated." in text and "false layers on 1 of 2 ionograms" in text
    assert json.loads(sheet.to_json())["threshold"] == 0.5


def test_the_papers_numbers() -> None:
    sheet = layer_sheet(scored(), NAMES, 0.5)
    es, f = sheet.paper
    assert round(es["precision"], 4) == 0.6863 and round(es["recall"], 4) == 0.8140
    assert round(f["precision"], 4) == 0.6053 and round(f["recall"], 4) == 0.9388
    assert (round(es["f1"], 3), round(f["f1"], 3)) == (0.745, 0.736)
    assert set(PAPER) == {"Es", "F"}
    low, high = es["recall_interval"]
    assert (round(low, 2), round(high, 2)) == (0.67, 0.90)


def test_wilson_by_hand() -> None:
    low, high = wilson(0, 10)
    assert low == pytest.approx(0, abs=1e-12) and high == pytest.approx(0.2775, abs=1e-3)
    assert wilson(0, 0) is None


def test_calibration_and_threshold_from_validation() -> None:
    rng = np.random.default_rng(0)
    ionograms = []
    for number in range(400):
        # Of boxes with a score of 0.9 two in three are right; those with 0.2 hardly ever are.
        right = rng.random() < 2 / 3
        found = [(0, 0.9, 0, 60, 40, 80) if right else (0, 0.9, 50, 0, 80, 30)]
        found.append((1, 0.2, 0, 0, 20, 20))
        ionograms.append(ionogram([ES], found, str(number)))
    temperature, threshold = fit_boxes(ionograms, 2)
    assert temperature > 1.2
    tempered = [one.tempered(temperature) for one in ionograms]
    before, after = (
        layer_sheet(group, NAMES, 0.5).calibration["ece"] for group in (ionograms, tempered)
    )
    assert after < before
    assert tempered[0].scores[1] < threshold <= tempered[0].scores[0]
    assert fit_boxes([ionogram([ES], [])], 2) == (1.0, 0.3)


def test_pictures(tmp_path) -> None:
    one = scored()[0]
    image = np.full((96, 96), 90, np.uint8)
    example = LayerExample(image, one)
    sheet = layer_sheet(scored(), NAMES, 0.5)
    written = Evaluation(sheet, [example], layer_figures).write(tmp_path)
    assert [path.rpartition("/")[2] for path in written] == [
        "sheet.json",
        "sheet.txt",
        "curves.png",
        "examples.png",
    ]
    assert all((tmp_path / path).stat().st_size > 500 for path in written)
