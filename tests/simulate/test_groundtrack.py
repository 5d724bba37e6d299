"""The ground track against what is known of the mission."""

from datetime import datetime
from itertools import islice

import numpy as np
import pytest

from odm.archive.orbit.key import Direction
from odm.core.errors import InputError
from odm.simulate.orbit import groundtrack as track

ASCENDING, DESCENDING = Direction.ASCENDING, Direction.DESCENDING


def full(number, direction, cutoffs=(65.0, 65.0)):
    return track.fly(number, direction, track.row_times(number, direction, cutoffs))


def test_the_known_file_starts_when_it_did():
    assert track.nominal_start(17538, ASCENDING) == np.datetime64("2021-04-01T01:21:58", "ms")


def test_an_orbit_known_from_2018_is_within_half_an_hour():
    flown = np.datetime64("2018-07-27T23:41", "ms")
    apart = abs(track.nominal_start(2672, DESCENDING) - flown)
    assert apart < np.timedelta64(30, "m")


@pytest.mark.parametrize(
    ("direction", "hour", "first_sign"), [(DESCENDING, 14.0, 1), (ASCENDING, 2.0, -1)]
)
def test_local_time_at_the_equator_and_its_drift(direction, hour, first_sign):
    half = full(20000, direction)
    equator = np.argmin(np.abs(half.latitude))
    assert half.local_time[equator] == pytest.approx(hour, abs=0.01)
    assert np.sign(half.latitude[0]) == first_sign
    assert np.sign(half.latitude[-1]) == -first_sign
    for end in (0, -1):
        assert abs(half.local_time[end] - hour) == pytest.approx(1.05, abs=0.1)


def test_the_descending_half_comes_first_and_half_a_period_before():
    apart = track.nominal_start(20000, ASCENDING) - track.nominal_start(20000, DESCENDING)
    assert apart / np.timedelta64(1, "s") == pytest.approx(track.PERIOD_S / 2, abs=0.002)


def test_tracks_repeat_after_76_orbits_and_5_days():
    first, again = full(20000, ASCENDING), full(20076, ASCENDING)
    assert np.all(again.times - first.times == np.timedelta64(5, "D"))
    np.testing.assert_allclose(again.latitude, first.latitude, atol=1e-9)
    np.testing.assert_allclose(again.longitude, first.longitude, atol=1e-9)
    neighbour = full(20001, ASCENDING)
    assert abs(neighbour.longitude[500] - first.longitude[500]) > 20


def test_rows_and_latitude_steps():
    half = full(20000, DESCENDING)
    assert len(half.times) == pytest.approx(1018, abs=2)
    assert np.abs(half.latitude[[0, -1]]) == pytest.approx([65, 65], abs=0.1)
    steps = np.abs(np.diff(half.latitude))
    assert steps.max() == pytest.approx(0.129, abs=0.001)
    assert steps[0] == pytest.approx(0.1235, abs=0.004)
    assert len(track.row_times(20000, DESCENDING, (69.0, 69.0))) == 1077
    assert np.all((half.altitude > 500) & (half.altitude < 515))


def test_cutoffs_stay_between_65_and_69_degrees():
    rng = np.random.default_rng(0)
    drawn = np.array([track.draw_cutoffs(rng) for _ in range(500)])
    assert drawn.min() >= 65
    assert drawn.max() <= 69
    assert (drawn > 66).mean() > 0.1


def test_the_first_half_orbit_is_the_first_at_or_after_the_start():
    number, direction = track.first_half(datetime(2021, 4, 1, 1, 21, 58))
    assert (number, direction) == (17538, ASCENDING)
    number, direction = track.first_half(datetime(2021, 4, 1, 1, 21, 59))
    assert (number, direction) == (17539, DESCENDING)


def test_half_orbits_follow_without_a_hole():
    chosen = list(islice(track.following(10, ASCENDING), 3))
    assert chosen == [(10, ASCENDING), (11, DESCENDING), (11, ASCENDING)]
    assert list(islice(track.following(10, ASCENDING, 3), 2)) == [(10, ASCENDING), (12, DESCENDING)]


@pytest.mark.parametrize("when", [datetime(2017, 1, 1), datetime(2060, 1, 1)])
def test_a_start_outside_the_mission_is_refused(when):
    with pytest.raises(InputError, match=str(when.year)):
        track.first_half(when)


def test_the_dip_angle_is_that_of_the_field_model():
    from odm.physics.coordinates import dip_angle

    half = full(20000, DESCENDING)
    exact = dip_angle(half.times, half.latitude, half.longitude, half.altitude)
    np.testing.assert_allclose(half.dip, exact, atol=0.01)


def test_dipole_pole_and_conjugate_points():
    latitude, _ = track.dipole_coordinates(np.array([80.65, 0.0]), np.array([-72.68, 17.32]))
    assert latitude == pytest.approx([90.0, 0.0], abs=1e-6)
    there = track.conjugate_point(45.0, 20.0)
    assert there[0] < -20
    assert track.conjugate_point(*there) == pytest.approx((45.0, 20.0), abs=1e-9)
