from dataclasses import replace

import numpy as np
import pytest

from odm.core.errors import InputError
from odm.findings.regions import (
    RegionSettings,
    find_regions,
    level_of,
    native_probability,
    read_thresholds,
    regions_from_mask,
    segments,
    to_levels,
)
from odm.images.geometry import OrbitImageSettings
from tests.scoring.helpers import COLUMNS, LINES, box, geometry, on_canvas, times

SMALL = RegionSettings(threshold=0.6, low_threshold=0.4, minimum_area=20, seed_pixels=4)
ANY_AREA = RegionSettings(minimum_area=1, fill_holes=False)


def find(native: np.ndarray, settings: RegionSettings = SMALL, gaps: dict | None = None) -> list:
    return find_regions(on_canvas(native.astype(np.float32)), geometry(gaps), settings)


def test_a_box_is_found_pixel_by_pixel() -> None:
    mask = box(5, 7)
    (region,) = find(mask * 0.8)
    assert np.array_equal(region.mask, mask)
    assert region.mask.dtype == bool
    assert region.confidence == 204 / 255


def test_hysteresis_grows_from_a_seed_to_the_low_threshold_and_needs_one() -> None:
    weak, strong = box(5, 7), box(7, 9, 4, 4)
    lonely = box(25, 30)
    (region,) = find(np.where(strong, 0.9, np.where(weak, 0.45, np.where(lonely, 0.5, 0.1))))
    assert np.array_equal(region.mask, weak)
    # The mean over all of it: the peak alone is the same for a region that is sure throughout.
    levels = np.where(strong, round(0.9 * 255), round(0.45 * 255))[weak]
    assert region.confidence == pytest.approx(levels.mean() / 255, abs=1e-12)


def test_confidences_of_regions_with_one_peak_are_apart() -> None:
    sure, less, least = box(5, 7), box(5, 30), box(25, 30)
    halves = np.where(box(5, 7) | box(5, 30, 4, 10) | box(25, 30, 2, 10), 1.0, 0.45)
    found = find(np.where(sure | less | least, halves, 0.0))
    assert [region.seed for region in found] == [1.0, 1.0, 1.0]
    first, second, third = (region.confidence for region in found)
    assert first == 1.0 > second > third > 0.4


def test_seeds_are_counted() -> None:
    probability = np.where(box(5, 7), 0.5, 0.0)
    probability[6, 8:11] = 0.9  # three pixels are one too few
    assert find(probability) == []
    probability[6, 11] = 0.7
    (region,) = find(probability)
    assert region.seed == round(0.7 * 255) / 255  # the fourth largest


def test_a_region_smaller_than_its_seeds_is_none_however_many_there_are() -> None:
    native = np.zeros((LINES, COLUMNS))
    native[4:6, 4:6] = native[14:16, 20:22] = native[30:32, 40:42] = 1
    settings = RegionSettings(minimum_area=1, seed_pixels=5)
    assert find(native, settings) == []
    assert len(find(native, RegionSettings(minimum_area=1, seed_pixels=4))) == 3


def test_a_seed_is_the_threshold_at_which_a_region_disappears() -> None:
    rng = np.random.default_rng(1)
    noise = np.clip(rng.normal(0.4, 0.15, (LINES, COLUMNS)), 0, 1)
    probability = np.where(box(3, 3) | box(20, 30, 15, 12), noise + 0.3, noise * 0.5)
    probability = np.clip(probability, 0, 1)
    regions = find(probability, RegionSettings(0.4, 0.4, 20, seed_pixels=4))
    assert len(regions) >= 2
    for threshold in (0.5, 0.7, 0.85, 0.95):
        again = find(probability, RegionSettings(threshold, 0.4, 20, seed_pixels=4))
        kept = [one for one in regions if one.seed * 255 >= level_of(threshold)]
        assert len(again) == len(kept)
        for one, other in zip(again, kept, strict=True):
            assert np.array_equal(one.mask, other.mask)


def test_a_region_has_at_least_the_minimum_confidence() -> None:
    native = np.zeros((LINES, COLUMNS))
    native[10:20, 10:20] = 1.0
    native[10:20, 40:50], native[12:14, 42:48] = 0.5, 1.0
    settings = RegionSettings(minimum_area=1, seed_pixels=4)
    assert [round(region.confidence, 2) for region in find(native, settings)] == [1.0, 0.56]
    (sure,) = find(native, replace(settings, minimum_confidence=0.6))
    assert sure.confidence == 1.0
    assert "minimum_confidence" not in settings.to_dict()  # older digests stay
    stored = replace(settings, minimum_confidence=0.6).to_dict()
    assert RegionSettings.from_dict(stored).minimum_confidence == 0.6


def test_a_large_region_is_no_surer_than_a_small_one_by_its_log_odds() -> None:
    """Both are as sure in the middle as at the border, but the large one has less border."""
    native = np.zeros((LINES, COLUMNS))
    native[10:20, 10:20], native[12:18, 12:18] = 0.5, 0.95
    native[10:30, 40:60], native[12:28, 42:58] = 0.5, 0.95
    by_probability = RegionSettings(minimum_area=1, seed_pixels=4)
    settings = replace(by_probability, averaged="log_odds")
    small, large = find(native, by_probability)
    assert large.confidence > small.confidence + 0.1
    logit = np.log((242 + 0.5) / (255 - 242 + 0.5))  # 0.95 is level 242, 0.5 level 128
    half = np.log((128 + 0.5) / (255 - 128 + 0.5))
    for region, share in zip(find(native, settings), (0.36, 0.64), strict=True):
        expected = 1 / (1 + np.exp(-(share * logit + (1 - share) * half)))
        assert region.confidence == pytest.approx(expected, abs=1e-12)
    (sure,) = find(native, replace(settings, minimum_confidence=0.8))
    assert sure.mask[15, 50]
    assert "averaged" not in by_probability.to_dict()  # older digests stay
    assert RegionSettings.from_dict(settings.to_dict()) == settings
    with pytest.raises(InputError, match="give probability or log_odds"):
        RegionSettings(averaged="peak")  # type: ignore[arg-type]  # from a damaged card


def test_minimum_area_counts_native_pixels() -> None:
    at_limit, below = box(5, 5, 4, 5), box(20, 5, 4, 5)
    below[20, 5] = False
    (region,) = find((at_limit | below) * 1.0)
    assert np.array_equal(region.mask, at_limit)


def test_corners_connect_with_eight_and_not_with_four() -> None:
    two = box(5, 5) | box(15, 15)
    assert len(find(two * 1.0)) == 1
    four = RegionSettings(0.6, 0.4, 20, connectivity=4, seed_pixels=4)
    assert len(find(two * 1.0, four)) == 2


def test_holes_are_filled_with_what_lies_in_them_unless_not_wanted() -> None:
    ring = box(5, 5, 20, 20) & ~box(8, 8, 14, 14)
    core = box(12, 12, 6, 6)
    (region,) = find((ring | core) * 1.0)
    assert np.array_equal(region.mask, box(5, 5, 20, 20))
    open_ring = RegionSettings(0.6, 0.4, 20, seed_pixels=4, fill_holes=False)
    assert [one.mask.sum() for one in find((ring | core) * 1.0, open_ring)] == [204, 36]


def test_a_bay_at_the_border_is_no_hole() -> None:
    bay = box(0, 5, 10, 12) & ~box(0, 8, 6, 6)
    (region,) = find(bay * 1.0)
    assert np.array_equal(region.mask, bay)


@pytest.mark.parametrize(("gap_s", "expected"), [(7.9, 1), (8.0, 2), (60.0, 2)])
def test_no_region_crosses_a_gap_of_more_than_ten_seconds(gap_s: float, expected: int) -> None:
    # 2.048 s are there anyway: 7.9 makes 9.948 s, 8.0 makes 10.048 s.
    mask = box(5, 20, 10, 20)
    regions = find(mask * 1.0, gaps={30: gap_s})
    assert len(regions) == expected
    assert np.array_equal(np.any([one.mask for one in regions], axis=0), mask)
    if expected == 2:
        assert np.array_equal(regions[0].mask, box(5, 20))
        assert np.array_equal(regions[1].mask, box(5, 30))
    assert len(regions_from_mask(mask, times({30: gap_s}), ANY_AREA)) == expected


def test_a_hole_is_not_filled_across_a_gap() -> None:
    ring = box(5, 20, 20, 20) & ~box(8, 23, 14, 14)
    left, right = find(ring * 1.0, gaps={30: 60.0})
    assert left.mask.sum() == right.mask.sum() == 20 * 10 - 14 * 7
    assert not left.mask[12, 29]


def test_order_is_by_time_then_from_high_to_low_frequency() -> None:
    masks = [box(25, 2), box(3, 20), box(20, 20), box(2, 45)]
    regions = find(np.any(masks, axis=0) * 1.0)
    for region, mask in zip(regions, masks, strict=True):
        assert np.array_equal(region.mask, mask)


def test_padding_of_the_canvas_is_never_a_region() -> None:
    canvas = np.ones((64, 64), dtype=np.float32)
    canvas[:LINES, :COLUMNS] = 0
    assert find_regions(canvas, geometry(), SMALL) == []


def test_uint8_and_float_maps_give_the_same() -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    one = find_regions(levels, geometry(), SMALL)
    other = find_regions(levels.astype(np.float32) / 255, geometry(), SMALL)
    assert [region.confidence for region in one] == [region.confidence for region in other]
    assert np.array_equal(to_levels(levels / 255), levels)


def test_a_threshold_means_at_least() -> None:
    assert level_of(0.5) == 128  # 127 / 255 is below one half
    assert level_of(128 / 255) == 128
    assert level_of(1.0) == 255
    assert level_of(1e-9) == 1


def test_a_resized_map_comes_back_within_one_of_its_pixels() -> None:
    resized = geometry(settings=OrbitImageSettings(-9, -5, mode="resized", height=32, width=32))
    mask = box(8, 12, 20, 24)
    probability = resized.mask_from_native(mask).astype(np.float32)
    (region,) = find_regions(probability, resized, SMALL)
    assert native_probability(probability, resized).shape == (LINES, COLUMNS)
    lines, columns = np.flatnonzero(region.mask.any(1)), np.flatnonzero(region.mask.any(0))
    assert abs(lines[0] - 8) <= 1.25
    assert abs(lines[-1] - 27) <= 1.25
    assert abs(columns[0] - 12) <= 1.875
    assert abs(columns[-1] - 35) <= 1.875


def test_regions_of_a_mask_are_exact_and_touching_ones_are_one() -> None:
    mask = box(5, 5).astype(np.uint8) * 7
    (region,) = regions_from_mask(mask, times(), ANY_AREA)
    assert np.array_equal(region.mask, mask > 0)
    assert region.confidence == 1
    assert len(regions_from_mask(box(5, 5) | box(5, 15), times(), ANY_AREA)) == 1
    assert len(regions_from_mask(box(5, 5) | box(5, 16), times(), ANY_AREA)) == 2
    assert regions_from_mask(box(5, 5), times(), RegionSettings(minimum_area=101)) == []


def test_segments_cover_every_column_once() -> None:
    assert segments(times()) == [slice(0, 60)]
    assert segments(times({1: 20, 59: 20})) == [slice(0, 1), slice(1, 59), slice(59, 60)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threshold": 0.3, "low_threshold": 0.4}, "thresholds"),
        ({"threshold": 1.2}, "thresholds"),
        ({"low_threshold": 0.0}, "thresholds"),
        ({"minimum_area": 0}, "at least 1"),
        ({"connectivity": 6}, "4 or 8"),
    ],
)
def test_settings_that_cannot_be_meant(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        RegionSettings(**options)


def test_maps_that_cannot_be_meant() -> None:
    with pytest.raises(InputError, match="not one of"):
        find_regions(np.zeros((40, 60), np.uint8), geometry(), SMALL)
    with pytest.raises(InputError, match="uint8 or float"):
        find_regions(np.zeros((64, 64), np.int64), geometry(), SMALL)
    with pytest.raises(InputError, match="between 0 and 1"):
        find_regions(np.full((64, 64), np.nan), geometry(), SMALL)
    with pytest.raises(InputError, match="between 0 and 1"):
        find_regions(np.full((64, 64), 2.0), geometry(), SMALL)
    with pytest.raises(InputError, match="60 columns"):
        regions_from_mask(np.zeros((40, 59)), times(), ANY_AREA)


def test_a_resized_map_is_interpolated_and_not_stepped() -> None:
    settings = OrbitImageSettings(-9, -5, "resized", 32, 32)
    columns = np.arange(32)
    ramp = np.broadcast_to((8 * columns).astype(np.uint8), (32, 32))
    native = native_probability(np.ascontiguousarray(ramp), geometry(settings=settings))
    assert native.shape == (LINES, COLUMNS)
    places = np.clip((np.arange(COLUMNS) + 0.5) * 32 / COLUMNS - 0.5, 0, 31)
    expected = np.interp(places, columns, 8.0 * columns)
    assert np.abs(native - expected).max() <= 1  # the library rounds twice
    assert len(np.unique(native)) > 32  # by nearest pixel there would be 32


def test_truth_is_filled_as_what_is_found() -> None:
    ring = box(5, 5, 20, 20) & ~box(8, 8, 14, 14)
    (plain,) = regions_from_mask(ring, times(), ANY_AREA)
    assert np.array_equal(plain.mask, ring)
    (filled,) = regions_from_mask(ring, times(), replace(ANY_AREA, fill_holes=True))
    assert np.array_equal(filled.mask, box(5, 5, 20, 20))


def test_thresholds_of_a_card() -> None:
    settings = RegionSettings(0.7, 0.3)
    assert read_thresholds(settings.to_dict()) == (settings, None)
    assert read_thresholds({**settings.to_dict(), "temperature": 1.5}) == (settings, 1.5)
    assert read_thresholds({}) == (RegionSettings(), None)
    with pytest.raises(InputError, match="minimum_aera"):
        read_thresholds({"minimum_aera": 3})
