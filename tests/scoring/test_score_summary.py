"""Figures of a sheet, one by one, by hand."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from odm.catalog.bootstrap import block_weights, interval
from odm.scoring.calibration import (
    fit_level_temperature,
    level_counts,
    level_reliability,
)
from odm.scoring.curves import fit_recall
from odm.scoring.evaluation import Evaluation
from odm.scoring.orbit.pictures import region_figures, score_figure
from odm.scoring.orbit.scorer import Scorer
from odm.scoring.orbit.sheet import RegionSheet
from odm.scoring.orbit.tally import NOTHING, Confuser, ScoredOrbit, Tempering
from tests.scoring.helpers import (
    COLUMNS,
    LINES,
    box,
    finding,
    half_orbit,
    temperature_table,
)


def sheet_of(
    *orbits: ScoredOrbit, threshold: float = 0.5, resamples: int = 0, **more: Any
) -> RegionSheet:
    scorer = Scorer(threshold)
    for orbit in orbits:
        scorer.add(orbit)
    return scorer.sheet(resamples=resamples, **more)


def test_an_interval_holds_95_percent() -> None:
    # Whole numbers 0 to 1000: 2.5 % of them lie below 25, as many above 975.
    assert interval(np.arange(1001.0)) == pytest.approx((25, 975))
    assert interval(np.arange(1001.0), share=0.5) == pytest.approx((250, 750))
    assert interval(np.array([1.0] * 8 + [np.nan] * 2)) is None
    assert interval(np.array([])) is None


def test_intervals_of_regions_are_those_of_the_resampled_blocks() -> None:
    hits = [3, 0, 2, 5, 1, 4]
    orbits = [
        half_orbit(
            [finding(box(2, 2, 6, 6))] * 1,
            [finding(box(2, 2, 6, 6), 0.9)] if one else [],
            block=block,
        )
        for block, number in enumerate(hits)
        for one in [True] * number + [False] * (5 - number)
    ]
    sheet = sheet_of(*orbits, resamples=200)
    drawn = block_weights(len(hits), 200) @ np.array(hits) / (5 * len(hits))
    low, high = sheet.score("contour", 0.5)["intervals"]["recall"]
    assert (low, high) == tuple(np.percentile(drawn, (2.5, 97.5)))
    assert sheet.blocks["0.5"] == {
        "cycle": [0, 1, 2, 3, 4, 5],
        "true": hits,
        "false": [0] * 6,
        "missed": [2, 5, 3, 0, 4, 1],
    }


def test_false_regions_on_clear_half_orbits_and_their_interval() -> None:
    """Per 100, of the result, on clear half-orbits alone; blocks are resampled with both counts."""
    clear, false = [4, 2, 6], [1, 2, 0]
    orbits = [half_orbit([finding(box(5, 5))], [finding(box(20, 30), 0.9)], block=0)]
    for block, (number, wrong) in enumerate(zip(clear, false, strict=True)):
        for one in range(number):
            found = [finding(box(5, 5), 0.9)] if one < wrong else [finding(box(5, 5), 0.4)]
            orbits.append(half_orbit([], found, block=block))
    sheet = sheet_of(*orbits, resamples=100)
    assert sheet.campaign["false_per_100_clear"] == pytest.approx(100 * 3 / 12)
    weights = block_weights(3, 100)
    drawn = 100 * (weights @ false) / (weights @ clear)
    expected = tuple(np.percentile(drawn, (2.5, 97.5)))
    assert sheet.campaign["interval"] == pytest.approx(expected)
    # No true region was found, so all that is found at 3.6 % is false.
    assert sheet.campaign["prevalence"] == 0.036
    assert sheet.campaign["precision_at_prevalence"]["0.5"] == 0


def test_precision_at_prevalence_by_hand() -> None:
    occupied = [
        half_orbit([finding(box(5, 5))], [finding(box(5, 5), 0.9), finding(box(25, 40), 0.8)])
        for _ in range(2)
    ]
    occupied.append(half_orbit([finding(box(5, 5))], []))
    clear = [half_orbit([], [finding(box(5, 5), 0.7)] if one == 0 else []) for one in range(8)]
    sheet = sheet_of(*occupied, *clear)
    share = 0.036
    true, others = 2 / 3, 2 / 3  # per half-orbit with a nucleus
    per_clear = 1 / 8
    expected = share * true / (share * (true + others) + (1 - share) * per_clear)
    assert sheet.campaign["precision_at_prevalence"]["0.25"] == pytest.approx(expected)


def test_the_error_table_by_hand() -> None:
    shifts = [0.0, 100.0, -200.0, 300.0, 1000.0]
    orbits = [
        half_orbit(
            [finding(box(5, 5), frequency_peak=5000.0)],
            [finding(box(5, 5), frequency_peak=5000.0 + shift)],
        )
        for shift in shifts
    ]
    (row,) = [one for one in sheet_of(*orbits).errors if one["of"] == "frequency of the peak"]
    assert row["count"] == 5
    assert row["mean"] == pytest.approx(0.24)
    assert row["median"] == pytest.approx(0.2)
    assert row["p90"] == pytest.approx(0.3 + 0.6 * 0.7)  # between the two largest of five
    assert row["largest"] == pytest.approx(1.0)


def test_the_interval_of_the_contrast_at_which_half_are_found() -> None:
    rng = np.random.default_rng(2)
    contrast = rng.uniform(2, 12, 120)
    found = rng.random(120) < 1 / (1 + np.exp(-(contrast - 6)))
    mask = box(2, 2, 6, 6)
    orbits = [
        half_orbit(
            [finding(mask, contrast_db=value)], [finding(mask)] if hit else [], block=one // 15
        )
        for one, (value, hit) in enumerate(zip(contrast, found, strict=True))
    ]
    entry = sheet_of(*orbits, resamples=40).contrast["0.5"]
    assert entry["half"] == pytest.approx(fit_recall(contrast, found).half)
    halves = []
    for weights in block_weights(8, 40):
        again = np.repeat(np.arange(120), np.repeat(weights, 15))
        halves.append(fit_recall(contrast[again], found[again]).half)
    low, high = entry["interval"]
    assert (low, high) == pytest.approx(tuple(np.percentile(halves, (2.5, 97.5))))
    assert low < entry["half"] < high


def mapped(rng: np.random.Generator, sureness: float) -> ScoredOrbit:
    logit = rng.normal(0, 1.5, (LINES, COLUMNS))
    truth = rng.random(logit.shape) < 1 / (1 + np.exp(-logit))
    levels = np.rint(255 / (1 + np.exp(-sureness * logit))).astype(np.uint8)
    return half_orbit([finding(truth)], [], probability=levels)


def test_calibration_plain_and_at_a_temperature_of_other_data() -> None:
    orbit = mapped(np.random.default_rng(0), 2.0)
    assert orbit.probability is not None
    counts = level_counts(orbit.probability, orbit.truth[0].mask)
    fitted = sheet_of(orbit).calibration
    assert fitted["temperature"] == fit_level_temperature(counts) == pytest.approx(2, abs=0.3)
    assert (fitted["fitted_on"], fitted["applied"]) == ("the scored data", False)
    assert fitted["ece"] == level_reliability(counts).ece > 0.08
    assert fitted["scaled"]["ece"] < 0.05

    assert "the scored data" in sheet_of(orbit).to_text()

    # A map that has the temperature: what it says is the scaled one, undone is the plain one.
    tempered = half_orbit(
        list(orbit.truth), [], probability=temperature_table(2.0)[orbit.probability]
    )
    sheet = sheet_of(tempered, tempering=Tempering(2.0, "validation of A"))
    applied = sheet.calibration
    assert applied["applied"]
    assert (applied["temperature"], applied["fitted_on"]) == (2.0, "validation of A")
    assert "validation of A" in sheet.to_text()
    assert applied["scaled"]["ece"] == sheet_of(tempered).calibration["ece"]
    assert applied["ece"] == pytest.approx(fitted["ece"], abs=0.01)


def test_the_result_begins_at_the_threshold_itself() -> None:
    """As in the search for regions: a level that stands for the threshold is in."""
    for threshold in (0.6, 0.7, 153 / 255, 1 / 3, 0.1 + 0.2, 1.0):
        level = int(np.ceil(threshold * 255 - 1e-9))
        found = [finding(box(5, 5), level / 255), finding(box(25, 40), (level - 1) / 255)]
        orbits = half_orbit([finding(box(5, 5))], found), half_orbit([], [])
        sheet = sheet_of(*orbits, threshold=threshold)
        assert sheet.counts["found"] == 1, threshold
        score = sheet.score("contour", 0.5)
        assert (score["true"], score["false"], score["missed"]) == (1, 0, 0), threshold
        assert sheet.campaign["precision_at_prevalence"]["0.5"] == 1
        (pixels,) = [row for row in sheet.pixels if row["truth"] == "contour"]
        assert pixels["metrics"]["foreground_iou"] == 1, threshold
    # A threshold that was computed in another way still means the same level.
    almost = half_orbit([finding(box(5, 5))], [finding(box(5, 5), 77 / 255)])
    assert sheet_of(almost, threshold=77 / 255 + 1e-13).counts["found"] == 1
    assert sheet_of(almost, threshold=77 / 255 + 1e-6).counts["found"] == 0


def test_what_is_below_the_threshold_is_no_false_alarm() -> None:
    patch = Confuser("hiss_patch", slice(4, 16), slice(4, 16))
    found = [finding(box(5, 5), 0.9), finding(box(5, 5), 0.4), finding(box(25, 40), 0.3)]
    sheet = sheet_of(half_orbit([], found, confusers=[patch]))
    assert {row["kind"]: row["alarms"] for row in sheet.alarms if row["alarms"]} == {
        "hiss_patch": 1
    }
    sheet = sheet_of(half_orbit([], found[1:], confusers=[patch]))
    assert all(row["alarms"] == 0 for row in sheet.alarms)
    assert {row["kind"] for row in sheet.alarms} >= {"hiss_patch", NOTHING}


def test_a_confidence_that_is_no_number_is_refused_where_it_comes_in() -> None:
    with pytest.raises(ValueError, match="not all numbers"):
        Scorer(0.5).add(half_orbit([], [finding(box(5, 5), float("nan"))]))


@pytest.mark.parametrize("empty", [False, True])
def test_pictures_of_what_is_undefined(empty: bool, tmp_path: Path) -> None:
    """Nothing warns."""
    orbits = (
        [half_orbit([], [])]
        if empty
        else [half_orbit([], [finding(box(5, 5), 0.9)]), half_orbit([], [])]
    )
    sheet = sheet_of(*orbits)
    assert json.loads(sheet.to_json())["regions"][0]["recall"] is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = score_figure(sheet)
        assert all(axes.get_legend() is not None for axes in figure.axes)
        Evaluation(sheet, [], region_figures).write(tmp_path)
