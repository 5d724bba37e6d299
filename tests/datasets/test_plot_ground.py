"""Plots on which nothing was drawn where nothing was measured: white, grey and black axes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from odm.commands.ionogram import MOST_UNREAD
from odm.core.errors import InputError
from odm.datasets.labels.digitise import DigitisedPlot, PlotScale, digitise_plot
from tests.datasets.test_digitise import plotted
from tests.real import real_file

LEAST = 5.0
"""dB, below which nothing is drawn: five pixels of six."""


def check(plot: DigitisedPlot, snr: np.ndarray, tolerance_db: float) -> None:
    """The drawn values, nothing elsewhere, and shares that say so."""
    np.testing.assert_array_equal(np.isnan(plot.snr), np.isnan(snr))
    assert np.nanmax(np.abs(plot.snr - snr)) < tolerance_db
    assert plot.ground_share == pytest.approx(np.isnan(snr).mean(), abs=0.02)
    assert plot.unread_share < 0.1


@pytest.mark.parametrize("ground", ["white", "#e5e5e5", "#808080"])
@pytest.mark.parametrize("colours", ["inferno", "viridis", "jet", "magma"])
def test_nothing_drawn_is_no_value(tmp_path: Path, colours: str, ground: str) -> None:
    snr, scale = plotted(tmp_path / "a.png", colours, LEAST, ground)
    assert np.isnan(snr).mean() > 0.8
    plot = digitise_plot(tmp_path / "a.png", scale)
    check(plot, snr, 0.3)
    assert plot.ground == {"white": "#ffffff"}.get(ground, ground)
    assert plot.unread_share < 0.02


@pytest.mark.parametrize("ground", ["white", "#d3d3d3"])
@pytest.mark.parametrize("colours", ["inferno", "viridis", "jet", "magma"])
def test_jpeg(tmp_path: Path, colours: str, ground: str) -> None:
    """White and magma's last colour are but 64 apart: less than JPEG may shift a colour."""
    snr, scale = plotted(tmp_path / "a.jpg", colours, LEAST, ground, pil_kwargs={"quality": 80})
    check(digitise_plot(tmp_path / "a.jpg", scale), snr, 2.0)


def test_another_colour_map_is_told(tmp_path: Path) -> None:
    """With a ground and without one; of the right one hardly a pixel is not read."""
    for least, name in ((-np.inf, "full.jpg"), (LEAST, "white.jpg"), (LEAST, "white.png")):
        for drawn, read in (("inferno", "viridis"), ("turbo", "viridis"), ("jet", "inferno")):
            _, scale = plotted(tmp_path / name, drawn, least)
            right = digitise_plot(tmp_path / name, scale)
            wrong = digitise_plot(tmp_path / name, replace(scale, colours=read))
            assert right.unread_share < MOST_UNREAD / 3
            assert wrong.unread_share > 1.4 * MOST_UNREAD
            assert (right.ground == wrong.ground == "#ffffff") == (least == LEAST)


@pytest.mark.parametrize(("colours", "ground"), [("hot", "#ffffff"), ("gray", "#808080")])
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_ground_that_may_be_a_value(
    tmp_path: Path, colours: str, ground: str, ending: str
) -> None:
    """White is the strongest echo of some maps: only the user knows."""
    path = tmp_path / f"a.{ending}"
    snr, scale = plotted(path, colours, 14.5, ground)
    with pytest.raises(InputError, match=f"--ground {ground} if nothing was measured"):
        digitise_plot(path, scale)
    named = digitise_plot(path, replace(scale, ground=ground))
    assert np.isnan(named.snr[np.isnan(snr)]).mean() > 0.99
    assert np.nanmax(np.abs(named.snr - snr)) < 2
    all_drawn = digitise_plot(path, replace(scale, ground="none"))
    assert not np.isnan(all_drawn.snr).any() and all_drawn.ground == ""


def test_the_weakest_colour_may_fill_a_plot(tmp_path: Path) -> None:
    """White below the scale of a map that begins with white; either way round."""
    for colours, snr in (("Greys", (-3.0, 30.0)), ("gray", (30.0, -3.0))):
        _, scale = plotted(tmp_path / "a.png", "Greys", LEAST)
        plot = digitise_plot(tmp_path / "a.png", replace(scale, colours=colours, snr=snr))
        assert plot.ground == "" and plot.unread_share == 0
        assert np.median(plot.snr) == -3


def test_black_is_a_ground_only_by_name(tmp_path: Path) -> None:
    """Else a plot whose first colour is black could be read by any map."""
    snr, scale = plotted(tmp_path / "a.png", "viridis", LEAST, "black")
    assert digitise_plot(tmp_path / "a.png", scale).unread_share > 0.8
    check(digitise_plot(tmp_path / "a.png", replace(scale, ground="black")), snr, 0.3)
    with pytest.raises(InputError, match="no colour"):
        digitise_plot(tmp_path / "a.png", replace(scale, ground="rather dark"))


def test_a_real_plot_has_no_ground() -> None:
    """Its black is below the scale; viridis cannot read it, by whatever ground."""
    path = real_file("chirpsounder2_example00.png")
    scale = PlotScale((80, 53, 965, 842), (0, 24.9e6), (3110, 5110), (-3, 30), "inferno")
    assert digitise_plot(path, scale).ground == ""
    assert digitise_plot(path, replace(scale, colours="viridis")).unread_share > 0.7
    named = digitise_plot(path, replace(scale, ground="black"))
    assert named.ground_share == pytest.approx(0.657, abs=0.001)
    assert named.unread_share < 0.001
