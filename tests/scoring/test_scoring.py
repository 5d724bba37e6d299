import json
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from odm.images.masks import IGNORED
from odm.scoring.orbit.scorer import Scorer, boundary_distance, confuser_of
from odm.scoring.orbit.sheet import RegionSheet
from odm.scoring.orbit.tally import NOTHING, NUCLEUS, Confuser
from odm.scoring.orbit.truth import undecided
from odm.scoring.sheet import WIDTH
from tests.scoring.helpers import COLUMNS, LINES, box, finding, half_orbit


def sheet_of(*orbits, threshold: float = 0.5, resamples: int = 0) -> RegionSheet:
    scorer = Scorer(threshold)
    for orbit in orbits:
        scorer.add(orbit)
    return scorer.sheet(resamples=resamples)


def outcome(sheet: RegionSheet, overlap: float, truth: str = "contour") -> tuple[int, int, int]:
    score = sheet.score(truth, overlap)
    return score["true"], score["false"], score["missed"]


def test_the_truth_itself_is_perfect() -> None:
    masks = [box(5, 5), box(20, 30, 12, 8)]
    sheet = sheet_of(half_orbit([finding(m) for m in masks], [finding(m) for m in masks]))
    for overlap in (0.25, 0.5):
        score = sheet.score("contour", overlap)
        assert outcome(sheet, overlap) == (2, 0, 0)
        assert score["precision"] == score["recall"] == score["f1"] == 1
        assert score["average_precision"] == 1
    assert sheet.boundary == {"count": 2, "mean": 0, "p95": 0}
    assert sheet.pixels[0]["metrics"]["mean_iou"] == 1


def test_a_shifted_region() -> None:
    # Half of 10 columns apart: 50 shared of 150.
    sheet = sheet_of(half_orbit([finding(box(5, 5))], [finding(box(5, 10))]))
    assert outcome(sheet, 0.25) == (1, 0, 0)
    assert outcome(sheet, 0.5) == (0, 1, 1)
    assert sheet.score("contour", 0.5)["f1"] == 0
    pixels = sheet.pixels[0]["metrics"]
    assert pixels["foreground_iou"] == 1 / 3
    assert pixels["dice"] == 0.5
    assert pixels["pixel_accuracy"] == 1 - 100 / (LINES * COLUMNS)


def test_a_region_split_in_two() -> None:
    # Halves of 10 x 20 have an IoU of one half each: one is a hit, the other false.
    halves = [finding(box(5, 5), 0.7), finding(box(5, 15), 0.9)]
    sheet = sheet_of(half_orbit([finding(box(5, 5, 10, 20))], halves))
    for overlap in (0.25, 0.5):
        assert outcome(sheet, overlap) == (1, 1, 0)
        assert sheet.score("contour", overlap)["f1"] == 2 / 3
        # The surer half is the hit, so precision is 1 where recall gets to 1.
        assert sheet.score("contour", overlap)["average_precision"] == 1
    assert {row["kind"]: row["alarms"] for row in sheet.alarms} == {NUCLEUS: 1, NOTHING: 0}


def test_two_regions_merged() -> None:
    # Two of 100 pixels, 2 columns apart, in one of 220: IoU 100 / 220 with each.
    truth = [finding(box(5, 5)), finding(box(5, 17))]
    sheet = sheet_of(half_orbit(truth, [finding(box(5, 5, 10, 22))]))
    assert outcome(sheet, 0.25) == (1, 0, 1)
    assert sheet.score("contour", 0.25)["f1"] == 2 / 3
    assert outcome(sheet, 0.5) == (0, 1, 2)


def test_missing_and_invented_regions() -> None:
    sheet = sheet_of(
        half_orbit([finding(box(5, 5)), finding(box(20, 5))], [finding(box(5, 5), 0.9)]),
        half_orbit([], [finding(box(5, 5), 0.8), finding(box(5, 40), 0.6)]),
        half_orbit([], []),
        half_orbit([], []),
    )
    assert outcome(sheet, 0.5) == (1, 2, 1)
    score = sheet.score("contour", 0.5)
    assert (score["precision"], score["recall"], score["f1"]) == (1 / 3, 1 / 2, 2 / 5)
    assert score["average_precision"] == 0.5
    assert sheet.counts == {
        "half_orbits": 4, "clear": 3, "nuclei": 2, "found": 3, "ignored": 0, "blocks": 1,
    }  # fmt: skip
    # Two on three clear half-orbits.
    assert sheet.campaign["false_per_100_clear"] == pytest.approx(200 / 3)
    # 1 true on each half-orbit with nuclei, 2/3 false on each clear one.
    expected = 0.036 / (0.036 + 0.964 * 2 / 3)
    assert sheet.campaign["precision_at_prevalence"]["0.5"] == pytest.approx(expected)
    curve = sheet.curves["0.5"]
    assert curve["threshold"] == [0.9, 0.8, 0.6]
    assert curve["false_per_half_orbit"] == [0, 0.25, 0.5]
    assert sheet.froc["0.5"] == {"rate": [0.01, 0.03, 0.1, 0.3, 1.0], "recall": [0.5] * 5}


def test_regions_below_the_threshold_only_extend_the_curves() -> None:
    orbit = half_orbit(
        [finding(box(5, 5)), finding(box(20, 5))],
        [finding(box(5, 5), 0.9), finding(box(20, 5), 0.3), finding(box(20, 40), 0.2)],
    )
    sheet = sheet_of(orbit)
    assert outcome(sheet, 0.5) == (1, 0, 1)
    assert sheet.counts["found"] == 1
    score = sheet.score("contour", 0.5)
    assert score["average_precision"] == 1
    assert (score["best_threshold"], score["best_f1"]) == (0.3, 1.0)
    assert sheet.pixels[0]["metrics"]["macro_recall"] < 1
    assert outcome(sheet_of(orbit, threshold=0.2), 0.5) == (2, 1, 0)


def test_against_boxes_and_ellipses() -> None:
    # A cross of arms 4 wide in 20 x 20: 144 pixels, its box 400.
    cross = box(10, 18, 20, 4) | box(18, 10, 4, 20)
    sheet = sheet_of(half_orbit([finding(cross)], [finding(box(10, 10, 20, 20))]))
    assert outcome(sheet, 0.25) == (1, 0, 0)  # 144 / 400
    assert outcome(sheet, 0.5) == (0, 1, 1)
    assert outcome(sheet, 0.5, "box") == (1, 0, 0)
    assert sheet.pixels[-1]["truth"] == "box"
    assert sheet.pixels[-1]["metrics"]["foreground_iou"] == 1
    # The filled circle with the cross' second moments lies between.
    assert outcome(sheet, 0.25, "ellipse") == (1, 0, 0)


def test_invalid_pixels_are_not_scored() -> None:
    valid = ~box(5, 5, 10, 5)
    orbit = half_orbit(
        [finding(box(5, 5))], [finding(box(5, 10, 10, 5))], valid=valid,
        probability=np.where(box(5, 10, 10, 5), 255, 0).astype(np.uint8),
    )  # fmt: skip
    sheet = sheet_of(orbit)
    for row in sheet.pixels:
        expected = 1 if row["truth"] != "ellipse" else pytest.approx(0.73, abs=0.01)
        assert row["metrics"]["foreground_iou"] == expected
    assert sheet.calibration["ece"] == pytest.approx(0, abs=1e-3)


def test_pixels_of_the_map_change_sides_at_one_half() -> None:
    probability = np.where(box(5, 5), 128, 127).astype(np.uint8)
    sheet = sheet_of(half_orbit([finding(box(5, 5))], [], probability=probability))
    assert [row["source"] for row in sheet.pixels] == ["probability"] * 3 + ["regions"] * 3
    assert sheet.pixels[0]["metrics"]["mean_iou"] == 1


def test_errors_by_hand() -> None:
    start = datetime(2021, 11, 1)
    true = finding(
        box(5, 5), frequency_peak=6000.0, latitude=-50.0, frequency_min=5000.0,
        frequency_max=7000.0, time_start=start, time_end=start + timedelta(seconds=20),
    )  # fmt: skip
    found = finding(
        box(5, 6), frequency_peak=6500.0, latitude=-50.5, frequency_min=4900.0,
        frequency_max=7200.0, time_start=start + timedelta(seconds=2),
        time_end=start + timedelta(seconds=20),
    )  # fmt: skip
    errors = {row["of"]: row for row in sheet_of(half_orbit([true], [found])).errors}
    means = {name: round(row["mean"], 9) for name, row in errors.items()}
    assert means == {
        "frequency of the peak": 0.5,
        "latitude of the peak": -0.5,
        "lowest frequency": -0.1,
        "highest frequency": 0.2,
        "start": 2.0,
        "end": 0.0,
    }
    assert errors["latitude of the peak"]["median"] == 0.5
    assert errors["frequency of the peak"]["unit"] == "kHz"


def test_boundary_distance_of_boxes_one_inside_the_other() -> None:
    # From 10 x 10 to the 12 x 12 around it: 36 + 44 outline pixels, each 1 away but the corners.
    mean, p95 = boundary_distance(box(6, 6), box(5, 5, 12, 12))
    assert mean == pytest.approx((36 + 40 + 4 * 2**0.5) / 80)
    assert p95 == pytest.approx(2**0.5, abs=0.45)


def test_false_regions_are_put_down_to_the_confuser_that_fits_best() -> None:
    whistler = Confuser("whistler", slice(0, 40), slice(9, 11))
    patch = Confuser("hiss_patch", slice(4, 16), slice(4, 16))
    band = Confuser("cutoff_band", slice(0, 12), slice(0, 60))
    assert confuser_of(box(5, 5), [whistler, band, patch]) == "hiss_patch"
    assert confuser_of(box(5, 5), [whistler]) == NOTHING  # it holds a fifth
    assert confuser_of(box(5, 40), [whistler, band, patch]) == "cutoff_band"
    assert confuser_of(box(25, 40), [whistler, band, patch]) == NOTHING
    sheet = sheet_of(
        half_orbit([finding(box(25, 25))], [finding(box(5, 5)), finding(box(28, 30))],
                   confusers=[whistler, patch]),
        half_orbit([], [finding(box(5, 5))], confusers=[patch]),
    )  # fmt: skip
    alarms = {row["kind"]: (row["present"], row["alarms"]) for row in sheet.alarms}
    assert alarms == {
        "hiss_patch": (2, 2), "whistler": (1, 0), NUCLEUS: (None, 1), NOTHING: (None, 0),
    }  # fmt: skip


def test_recall_over_contrast_and_area() -> None:
    orbits = []
    for contrast in np.linspace(3, 9, 25):
        mask = box(5, 5)
        found = [finding(mask)] if contrast > 6.1 else []
        orbits.append(half_orbit([finding(mask, contrast_db=contrast)], found))
    sheet = sheet_of(*orbits)
    assert sheet.contrast["0.5"]["half"] == pytest.approx(6.125, abs=0.13)
    recalls = {row["lower"]: row["recall"] for row in sheet.contrast["0.5"]["bins"]}
    assert recalls == {3: 0, 4: 0, 5: 0, 6: 7 / 8, 8: 1}
    assert sheet.area == [{"lower": 0, "upper": 500, "nuclei": 25, "recall": 12 / 25}]


def test_intervals_come_from_blocks_and_hold_the_value() -> None:
    rng = np.random.default_rng(0)
    orbits = [
        half_orbit(
            [finding(box(5, 5), contrast_db=5.0)],
            [finding(box(5, 5), 0.9)] if rng.random() < 0.7 else [finding(box(25, 40), 0.6)],
            block=number // 10,
        )
        for number in range(200)
    ]
    sheet = sheet_of(*orbits, resamples=300)
    score = sheet.score("contour", 0.5)
    for name in ("precision", "recall", "f1", "average_precision"):
        low, high = score["intervals"][name]
        assert low < score[name] < high
        assert 0.05 < high - low < 0.3
    again = sheet_of(*orbits, resamples=300)
    assert again.to_json() == sheet.to_json()
    one_block = sheet_of(*orbits[:10], resamples=300).score("contour", 0.5)
    assert one_block["intervals"]["f1"] is None


def test_a_sheet_goes_to_json_and_to_text() -> None:
    sheet = sheet_of(
        half_orbit([finding(box(5, 5), contrast_db=5.0)], [finding(box(5, 5), 0.9)]),
        half_orbit([], []),
    )
    content = json.loads(sheet.to_json())
    assert content["contrast"]["0.5"]["half"] is None
    assert content["regions"][0]["f1"] == 1
    assert "unknown" in content["caveat"]
    text = sheet.to_text()
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert "pixel accuracy" in text
    assert "earthquakes" in text


def test_a_method_that_finds_nothing_still_has_a_sheet() -> None:
    sheet = sheet_of(
        half_orbit([finding(box(5, 5))], []), half_orbit([], [], block=1), resamples=50
    )
    score = sheet.score("contour", 0.5)
    assert (score["recall"], score["f1"], score["average_precision"]) == (0, 0, 0)
    assert np.isnan(score["precision"])
    assert "all found" not in sheet.to_text()


def test_bad_use() -> None:
    scorer = Scorer(0.5)
    with pytest.raises(ValueError, match="nothing was scored"):
        scorer.sheet()
    with pytest.raises(ValueError, match="not one of"):
        scorer.add(half_orbit([finding(np.ones((3, 3), bool))], []))


def test_seeds_make_the_result_and_confidences_the_curve() -> None:
    true, other = box(5, 5), box(25, 30)
    found = [
        finding(true, 0.9, seed=1.0),
        finding(other, 0.6, seed=1.0),
        finding(box(5, 40), 0.95, seed=0.99),  # surer on the whole, yet not of the result
    ]
    sheet = sheet_of(half_orbit([finding(true)], found), threshold=1.0)
    assert outcome(sheet, 0.5) == (1, 1, 0)
    assert sheet.counts["found"] == 2
    assert sheet.curves["0.5"]["threshold"] == [0.95, 0.9, 0.6]
    assert sheet.curves["0.5"]["recall"] == [0.0, 1.0, 1.0]


def test_another_region_takes_no_true_one_from_the_result() -> None:
    true = box(5, 5)
    found = [finding(true, 0.7, seed=1.0), finding(box(5, 7), 0.8, seed=0.5)]
    sheet = sheet_of(half_orbit([finding(true)], found), threshold=1.0)
    assert outcome(sheet, 0.25) == (1, 0, 0)


def test_where_nothing_is_true_there_is_no_recall() -> None:
    from odm.scoring.orbit.pictures import score_figure

    sheet = sheet_of(half_orbit([], [finding(box(5, 5), 0.7)]))
    text = sheet.to_text()
    rows = [line.split() for line in text.splitlines() if "false regions per half-orbit" in line]
    assert rows and all(row[-1] == "-" for row in rows)
    assert "in 1 block of 5 days" in text
    assert "There are no intervals: all half-orbits are of one block." in text
    said = [text.get_text() for axes in score_figure(sheet).axes for text in axes.texts]
    assert said == ["nothing is true"] * 2 + ["nothing is true, or its contrast is not known"]


def test_one_region_is_seen_in_every_panel() -> None:
    from odm.scoring.orbit.pictures import score_figure

    sheet = sheet_of(
        half_orbit(
            [finding(box(5, 5), contrast_db=8.0)], [finding(box(5, 5)), finding(box(25, 30))]
        )
    )
    panels = score_figure(sheet).axes
    assert not [text for axes in panels for text in axes.texts]
    for axes in panels[:2]:
        assert any(line.get_marker() == "." and len(line.get_xdata()) for line in axes.lines)


def test_settings_are_words() -> None:
    from odm.scoring.sheet import in_words

    settings = {"regions": {"threshold": 0.6, "fill_holes": True}, "flip": False, "limits": [1, 2]}
    assert in_words(settings) == "regions: (threshold 0.6, fill_holes yes), flip no, limits 1 2"


def test_what_lies_in_ignored_places_is_neither_true_nor_false() -> None:
    ignored = box(20, 30, 10, 10)
    found = [
        finding(box(5, 5), 0.9),  # true
        finding(box(20, 35), 0.8),  # half of it ignored
        finding(box(20, 24), 0.7),  # four tenths of it ignored: false
    ]
    orbit = replace(half_orbit([finding(box(5, 5))], found), ignored=ignored)
    clear = replace(half_orbit([], [finding(box(21, 31, 5, 5), 0.95)]), ignored=ignored)
    sheet = sheet_of(orbit, clear)
    assert outcome(sheet, 0.5) == (1, 1, 0)
    assert sheet.counts["found"] == 4
    assert sheet.counts["ignored"] == 2
    assert sheet.campaign["false_per_100_clear"] == 0
    assert sum(row["alarms"] for row in sheet.alarms) == 1
    assert sheet.curves["0.5"]["threshold"] == [0.9, 0.7]
    assert sheet.score("contour", 0.5)["best_f1"] == 1
    assert sum(sheet.calibration["regions"]["bins"]["count"]) == 2
    assert "neither true nor false" in sheet.to_text()


def test_a_true_region_is_found_though_it_lies_in_ignored_places() -> None:
    everywhere = box(0, 0, LINES, COLUMNS)
    orbit = half_orbit([finding(box(5, 5))], [finding(box(5, 5))])
    assert outcome(sheet_of(replace(orbit, ignored=everywhere)), 0.5) == (1, 0, 0)
    assert outcome(sheet_of(orbit), 0.5) == (1, 0, 0)


def test_ignored_pixels_are_not_scored() -> None:
    half = half_orbit([finding(box(5, 5))], [finding(box(5, 5)), finding(box(20, 30))])
    sheet = sheet_of(replace(half, ignored=box(20, 30)))
    (regions,) = [row for row in sheet.pixels if row["truth"] == "contour"]
    assert regions["source"] == "regions"
    assert regions["metrics"]["pixel_accuracy"] == 1


def test_pieces_of_nuclei_that_are_no_true_region_are_undecided() -> None:
    mask = (box(5, 5) | box(20, 30, 2, 2)).astype(np.uint8)
    mask[30:35, 40:45] = IGNORED
    np.testing.assert_array_equal(
        undecided(mask, [box(5, 5)]), box(20, 30, 2, 2) | box(30, 40, 5, 5)
    )
