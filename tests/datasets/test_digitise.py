"""Plots back to matrices: plots made by matplotlib from known values, and a real one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from odm.core.errors import ArchiveError, InputError
from odm.datasets.labels.digitise import DigitisedPlot, PlotScale, digitise_plot
from tests.real import real_file

CELLS = (48, 60)


def plotted(
    path: Path,
    colours: str = "inferno",
    least: float = -np.inf,
    ground: str = "white",
    **save: object,
) -> tuple[np.ndarray, PlotScale]:
    """Draw a matrix with axes, title and colour bar; the values, and how to read them back.

    Values below ``least`` are NaN: ``ground``, the colour of the axes, is left there.
    """
    rng = np.random.default_rng(4)
    f, r = np.meshgrid(np.linspace(0, 1, CELLS[0]), np.linspace(0, 1, CELLS[1]), indexing="ij")
    snr = 26 * np.exp(-(((r - 0.2 - 0.6 * f**2) / 0.06) ** 2)) + rng.uniform(-2, 2, CELLS)
    snr[snr < least] = np.nan
    figure = Figure(figsize=(9, 7), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=ground)
    mesh = axes.pcolormesh(
        np.linspace(2, 26, CELLS[0] + 1), np.linspace(100, 3100, CELLS[1] + 1), snr.T,
        vmin=-3, vmax=30, cmap=colours,
    )  # fmt: skip
    axes.set_title("An ionogram, 2020-09-30")
    axes.set_xlabel("MHz")
    bar = figure.colorbar(mesh)
    figure.savefig(path, **save)

    def pixels(box: object) -> tuple[float, float, float, float]:
        left, bottom, width, height = box.bounds  # type: ignore[attr-defined]
        tall = figure.get_figheight() * figure.dpi
        return left, tall - bottom - height, left + width, tall - bottom

    scale = PlotScale(
        area=pixels(axes.bbox),
        frequency=(2e6, 26e6),
        group_range=(100.0, 3100.0),
        snr=(-3.0, 30.0),
        colours=colours,
        cells=CELLS,
    )
    wide = pixels(bar.ax.bbox)
    plotted.bar_area = (wide[0] + 2, wide[1] + 1, wide[2] - 2, wide[3] - 1)  # type: ignore[attr-defined]
    return snr, scale


def check(plot: DigitisedPlot, snr: np.ndarray, tolerance_db: float) -> None:
    assert plot.snr.shape == snr.shape
    error = np.abs(plot.snr - snr)
    assert np.nanpercentile(error, 99) < tolerance_db
    assert np.isnan(error).mean() < 0.01
    np.testing.assert_allclose(plot.frequency, 2e6 + (np.arange(48) + 0.5) * 0.5e6, atol=3e4)
    np.testing.assert_allclose(plot.group_range, 100 + (np.arange(60) + 0.5) * 50, atol=4)


@pytest.mark.parametrize("colours", ["inferno", "viridis", "jet", "gray"])
def test_png(tmp_path: Path, colours: str) -> None:
    snr, scale = plotted(tmp_path / "a.png", colours)
    check(digitise_plot(tmp_path / "a.png", scale), snr, 0.3)


def test_jpeg(tmp_path: Path) -> None:
    snr, scale = plotted(tmp_path / "a.jpg", "viridis", pil_kwargs={"quality": 90})
    check(digitise_plot(tmp_path / "a.jpg", scale), snr, 2.0)


def test_the_plot_s_own_colour_bar(tmp_path: Path) -> None:
    snr, scale = plotted(tmp_path / "a.png", "cividis")
    by_bar = replace(scale, colours=plotted.bar_area)  # type: ignore[attr-defined]
    check(digitise_plot(tmp_path / "a.png", by_bar), snr, 0.5)


def test_transparent_background_and_one_value_per_pixel(tmp_path: Path) -> None:
    _, scale = plotted(tmp_path / "a.png", transparent=True)
    plot = digitise_plot(tmp_path / "a.png", replace(scale, cells=None))
    assert plot.snr.shape[0] > 400
    row, column = np.unravel_index(np.nanargmax(plot.snr), plot.snr.shape)
    share = (plot.frequency[row] - 2e6) / 24e6
    expected = 100 + 3000 * (0.2 + 0.6 * share**2)
    assert plot.group_range[column] == pytest.approx(expected, abs=200)


def test_lines_and_letters_are_no_values(tmp_path: Path) -> None:
    snr, scale = plotted(tmp_path / "a.png", "viridis")
    import cv2

    picture = cv2.imread(str(tmp_path / "a.png"))
    left, top, right, bottom = (round(border) for border in scale.area)
    cv2.putText(picture, "NOT AN ECHO", (left + 20, top + 60), 0, 1.0, (255, 255, 255), 4)
    picture[(top + bottom) // 2 - 2 : (top + bottom) // 2 + 2, left:right] = (0, 0, 255)
    cv2.imwrite(str(tmp_path / "b.png"), picture)
    plot = digitise_plot(tmp_path / "b.png", scale)
    assert plot.unread_share > 0.01
    wrong = np.abs(plot.snr - snr) > 3
    assert np.nanmean(wrong) < 0.02


def test_what_cannot_be_meant(tmp_path: Path) -> None:
    _, scale = plotted(tmp_path / "a.png")
    for change, reason in (
        ({"area": (0, 0, 9999, 100)}, "does not lie in the picture"),
        ({"area": (100, 100, 101, 200)}, "smaller than 2"),
        ({"colours": "rainbow dash"}, "none that matplotlib knows"),
        ({"colours": (0.0, 0.0, 1.0, 1.0)}, "colour bar"),
        ({"frequency": (26e6, 2e6)}, "the lower one first"),
        ({"snr": (3.0, 3.0)}, "two different values"),
        ({"cells": (9999, 60)}, "cannot be read from"),
    ):
        with pytest.raises(InputError, match=reason):
            digitise_plot(tmp_path / "a.png", replace(scale, **change))  # type: ignore[arg-type]
    (tmp_path / "c.png").write_bytes(b"no picture")
    with pytest.raises(ArchiveError, match="not a picture"):
        digitise_plot(tmp_path / "c.png", scale)


def test_a_real_plot_is_strongest_where_the_eye_sees_it() -> None:
    """Two saturated places: the F trace's nose at 11 to 12 MHz, and 8 MHz near 4230 km."""
    plot = digitise_plot(
        real_file("chirpsounder2_example00.png"),
        PlotScale((80, 53, 965, 842), (0, 24.9e6), (3110, 5110), (-3, 30), "inferno"),
    )
    from scipy.ndimage import uniform_filter

    assert plot.unread_share < 0.001
    mean = uniform_filter(plot.snr, (13, 9))
    row, column = np.unravel_index(np.argmax(mean), mean.shape)
    mhz, km = plot.frequency[row] / 1e6, plot.group_range[column]
    assert (10.3 < mhz < 12.2 and 4025 < km < 4105) or (7.9 < mhz < 8.4 and 4200 < km < 4260)
    quiet = plot.snr[plot.frequency > 15e6]
    assert np.median(quiet) < 0
