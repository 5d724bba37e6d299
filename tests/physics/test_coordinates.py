"""Magnetic and local coordinates, against published values and simple physics."""

from __future__ import annotations

import numpy as np
import pytest

from odm.physics.coordinates import (
    aacgm,
    bridged,
    dip_angle,
    local_season,
    local_time,
    month_season,
    unwrapped,
    wrapped,
)
from odm.physics.main_field import main_field

NOON = np.datetime64("2021-04-01T12:00:00", "ns")


def test_dip_angle_of_known_places() -> None:
    # Textbook figures: about 66 at Boulder, 72 to 73 upward at Hobart, near zero at Lima.
    dip = dip_angle(NOON, [40.0, -42.9], [-105.25, 147.3], [1.6, 0.0])
    np.testing.assert_allclose(dip, [66, -72.5], atol=0.7)
    assert abs(dip_angle(NOON, -12.0, -77.0, 0.5)) < 2


def test_dip_angle_where_the_papers_regions_lie() -> None:
    dip = dip_angle(NOON, [50.0, -50.0], [10.0, 140.0], 507.0)
    assert 58 < dip[0] < 80
    assert -82 < dip[1] < -58


def test_the_field_is_that_of_its_own_package() -> None:
    from datetime import datetime

    from ppigrf import igrf

    rng = np.random.default_rng(0)
    longitude, latitude = rng.uniform(-180, 180, 50), rng.uniform(-89, 89, 50)
    altitude = rng.uniform(0, 600, 50)
    for day in (datetime(1990, 1, 1, 12), datetime(2021, 11, 5, 12), datetime(2029, 12, 31, 12)):
        there = [part[0] for part in igrf(longitude, latitude, altitude, day)]
        np.testing.assert_allclose(main_field(longitude, latitude, altitude, day), there, atol=1e-6)


def test_the_table_of_the_field_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from ppigrf import ppigrf

    dip_angle(NOON, 40.0, 10.0, 507.0)
    monkeypatch.setattr(ppigrf, "read_shc", lambda *_: pytest.fail("the table was read again"))
    assert np.isfinite(dip_angle(NOON + np.timedelta64(40, "D"), 40.0, 10.0, 507.0))


def test_points_are_independent_and_keep_their_shape() -> None:
    times = np.array(["2019-01-01T05", "2021-04-01T01", "2019-01-01T07"], dtype="datetime64[ns]")
    latitude, longitude = np.array([60.0, -60.0, 60.0]), np.array([20.0, 100.0, 20.0])
    together = dip_angle(times, latitude, longitude, 507.0)
    alone = [
        dip_angle(t, la, lo, 507.0).item()
        for t, la, lo in zip(times, latitude, longitude, strict=True)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    assert dip_angle(NOON, np.full((2, 3), 50.0), 10.0, 507.0).shape == (2, 3)
    assert np.isnan(dip_angle(NOON, [np.nan, 50.0], 10.0, 507.0)).tolist() == [True, False]


def test_aacgm_latitude_and_local_time() -> None:
    latitude, mlt = aacgm(NOON, [65.1, 50.0], [-147.5, 10.0], 110.0)
    # Poker Flat lies at about 65.5 degrees AACGM.
    assert latitude[0] == pytest.approx(65.4, abs=0.6)
    # Magnetic and solar local time agree within about an hour at middle latitudes.
    assert mlt[1] == pytest.approx(12.7, abs=1.2)
    undefined, _ = aacgm(NOON, [10.0, 60.0], [-10.0, 10.0], 507.0)
    assert np.isnan(undefined).tolist() == [True, False]


def test_magnetic_local_time_advances_with_time() -> None:
    times = NOON + np.array([0, 6]) * np.timedelta64(1, "h")
    _, mlt = aacgm(times, 60.0, 10.0, 507.0)
    assert (mlt[1] - mlt[0]) % 24 == pytest.approx(6, abs=0.3)


def test_local_time() -> None:
    hours = local_time(np.datetime64("2021-04-01T22:30"), [0.0, 30.0, -180.0])
    np.testing.assert_allclose(hours, [22.5, 0.5, 10.5])


def test_seasons() -> None:
    months = np.arange("2021-01", "2022-01", dtype="datetime64[M]")
    by_month = ["winter"] * 2 + ["spring"] * 3 + ["summer"] * 3 + ["autumn"] * 3 + ["winter"]
    assert month_season(months).tolist() == by_month
    assert local_season(months, 50.0).tolist() == by_month
    opposite = {"winter": "summer", "summer": "winter", "spring": "autumn", "autumn": "spring"}
    assert local_season(months, -50.0).tolist() == [opposite[season] for season in by_month]


def test_tracks_across_the_date_line_and_gaps() -> None:
    longitude = np.array([178.0, np.nan, -179.0, -178.0])
    seconds = np.array([0.0, 2.0, 6.0, 8.0])  # a gap after the second row
    track = bridged(unwrapped(longitude), seconds)
    np.testing.assert_allclose(track, [178, 179, 181, 182])
    np.testing.assert_allclose(wrapped(track), [178, 179, -179, -178])


def test_a_track_goes_on_beyond_what_is_known() -> None:
    track = np.array([np.nan, np.nan, 10.0, 12.0, np.nan, 16.0, np.nan])
    along = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 15.0])
    np.testing.assert_allclose(bridged(track, along), [6, 8, 10, 12, 14, 16, 36])
    np.testing.assert_allclose(bridged(np.array([np.nan, 3.0]), along[:2]), [3, 3])
    assert np.isnan(bridged(np.array([np.nan, np.nan]), along[:2])).all()


@pytest.mark.filterwarnings("error")
def test_beyond_the_field_models_there_is_no_value() -> None:
    times = np.array(["1989-12-31", "2021-04-01", "2031-01-01", "NaT"], dtype="datetime64[ns]")
    expected = [True, False, True, True]
    assert np.isnan(dip_angle(times, 60.0, 10.0, 507.0)).tolist() == expected
    latitude, mlt = aacgm(times, 60.0, 10.0, 507.0)
    assert np.isnan(latitude).tolist() == expected
    assert np.isnan(mlt).tolist() == expected
