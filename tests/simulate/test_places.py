"""Where regions are put, against the published distributions."""

import numpy as np
import pytest

from odm.archive.orbit.key import Direction
from odm.simulate.orbit import groundtrack
from odm.simulate.orbit.emission import FREQUENCY
from odm.simulate.orbit.places import draw_place, presence, season, season_factor


@pytest.fixture(scope="module")
def tracks():
    """Half-orbits of one year, all longitudes and both directions."""
    found = []
    for number in range(20791, 26300, 141):
        for direction in Direction:
            times = groundtrack.row_times(number, direction, (67.0, 67.0))
            found.append(groundtrack.fly(number, direction, times))
    return found


@pytest.fixture(scope="module")
def places(tracks):
    rng = np.random.default_rng(5)
    rows = []
    for track in tracks:
        for _ in range(40):
            row, bin_ = draw_place(rng, track)
            rows.append((track.latitude[row], track.dip[row], FREQUENCY[bin_] / 1e3))
    return np.array(rows)


def test_latitudes_dip_angles_and_hemispheres(places):
    latitude, dip, _ = places.T
    assert np.all((np.abs(latitude) >= 40) & (np.abs(latitude) <= 70))
    inside = (np.abs(dip) >= 58) & (np.abs(dip) <= 80)
    assert inside.mean() > 0.93
    assert np.abs(dip).mean() == pytest.approx(69, abs=2)
    assert (latitude > 0).mean() == pytest.approx(266 / 453, abs=0.05)


def test_frequencies(places):
    khz = places[:, 2]
    assert np.median(khz) == pytest.approx(6.2, abs=0.2)
    assert (khz > 12.5).mean() < 0.01
    assert khz.min() > 0.7
    assert khz.max() < 16.1


def test_presence_follows_the_season_and_keeps_its_ends(tracks):
    assert {season(track) for track in tracks} == {"spring", "summer", "autumn", "winter"}
    by_season = {season(track): season_factor(track) for track in tracks}
    assert by_season["spring"] / by_season["winter"] == pytest.approx(142 / 58)
    assert np.mean(list(by_season.values())) == pytest.approx(1.0)
    for track in tracks[:4]:
        assert presence(0.0, track) == 0.0
        assert presence(1.0, track) == 1.0
    mean = np.mean([presence(0.036, track) for track in tracks])
    assert mean == pytest.approx(0.036, rel=0.1)
