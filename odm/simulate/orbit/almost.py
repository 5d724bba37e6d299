"""Almost-nuclei: natural emissions shaped to be taken for a nucleus, in the same places.

From sources: hiss patches and saucers are the hardest to tell from a nucleus; lightning whistlers
are vertical streaks at 2 s a row and come in clusters.

Assumed here, without a source: everything about how each looks on such a spectrogram.

- *hiss_patch*: a patch with a sharp lower (one in four: upper) cutoff along which it is brightest,
  fading to the other side, modulated from row to row, ending abruptly in time;
- *saucer*: a V, or several nested, brightest along its arms, fainter between them;
- *streak_cluster*: 5-22 vertical streaks of one or two rows under one envelope;
- *band_stack*: 2-5 narrow bands that drift in frequency, one above the other.

They have the area and nearly the contrast of nuclei (median 10 % higher) and any ratio of X, Y and
Z. ``difficulty`` blurs what gives them away: the cutoff, the dark gaps between streaks and bands,
the hollow of the V. The four kinds are the family "confuser": they can be held out.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from scipy.special import expit

from odm.images.nucleus import OUTLINE_DB, OUTLINE_SHARE
from odm.simulate.orbit.emission import Emission, FloatArray, smooth_line, smooth_noise, wave
from odm.simulate.orbit.nuclei import draw_area, draw_contrast

FEWEST = 0.3
"""Almost-nuclei on a half-orbit, mean, however rare nuclei are."""


def per_nucleus(difficulty: float) -> float:
    """Almost-nuclei for each nucleus: 3.2 at difficulty 0, 5.2 at 0.5, 7.2 at 1."""
    return 3.2 + 4.0 * difficulty


def almost_nucleus(
    rng: np.random.Generator,
    kind: str,
    place: tuple[int, int],
    difficulty: float,
    rows: int,
) -> Emission | None:
    """Draw an almost-nucleus with its brightest point about ``place`` (row, bin).

    ``rows`` is N of the spectrogram (N, 1024); None if the emission lies outside it.
    """
    contrast = min(1.1 * draw_contrast(rng, difficulty), 18.0)
    area = draw_area(rng)
    share = max(OUTLINE_SHARE, OUTLINE_DB / contrast)
    blur = float(rng.uniform(0.3, 1.0)) * 3.0 * difficulty
    aspect = float(np.exp(0.3 * rng.standard_normal()))
    state = rng.bit_generator.state
    size = area
    for _ in range(4):
        # Every try starts from the same state: the same emission, a little larger or smaller.
        rng.bit_generator.state = state
        tall, wide = (size * aspect) ** 0.5, (size / aspect) ** 0.5
        profile = ALMOST_NUCLEI[kind](rng, tall, wide)
        profile = np.pad(profile, 6)
        if blur > 0.2:
            profile = cv2.GaussianBlur(profile, (0, 0), blur).astype(np.float32, copy=False)
        profile = profile / profile.max()
        # What a person would outline: its dark gaps closed.
        closed = cv2.blur((profile >= share).astype(np.float32), (7, 7)) > 0.4
        covered = int(np.count_nonzero(closed))
        if abs(covered / area - 1) < 0.15:
            break
        size *= float(np.clip(area / max(covered, 50), 0.4, 2.5))
    smooth = cv2.GaussianBlur(profile, (0, 0), 4.0)
    peak = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
    corner = (place[0] - int(peak[0]), place[1] - int(peak[1]))
    return wave(rng, kind, corner, contrast * profile, rows, almost=True)


def _grid(tall: float, wide: float, margin: float) -> tuple[FloatArray, FloatArray]:
    """Rows and bins around 0, covering ``margin`` times the size."""
    rows = np.arange(-int(margin * tall / 2) - 2, int(margin * tall / 2) + 3, dtype=np.float32)
    bins = np.arange(-int(margin * wide / 2) - 2, int(margin * wide / 2) + 3, dtype=np.float32)
    return rows[:, None], bins[None, :]


def _hiss_patch(rng: np.random.Generator, tall: float, wide: float) -> FloatArray:
    rows, bins = _grid(tall, wide, 2.4)
    count = len(rows)
    cutoff = (-0.45 * wide + 0.12 * wide * smooth_line(rng, count, 0.5 * tall))[:, None]
    cutoff = cutoff + rng.uniform(-0.35, 0.35) * wide / tall * rows
    above = (bins - cutoff) / np.float32(rng.uniform(0.9, 1.8))
    depth = np.maximum(bins - cutoff, 0.0) / wide
    across = np.exp(-depth * np.float32(rng.uniform(0.9, 1.5))) * expit(above)
    across *= expit((1.2 - depth) * 6)
    modulation = np.exp(0.38 * rng.standard_normal((count, 1), dtype=np.float32))
    modulation *= np.exp(0.22 * smooth_line(rng, count, 7.0))[:, None]
    ends = 0.5 * tall * rng.uniform(0.85, 1.1, 2)
    sharp = rng.uniform(0.8, 4.0, 2)
    along = expit((rows + ends[0]) / sharp[0]) * expit((ends[1] - rows) / sharp[1])
    field = across * along * np.minimum(modulation, 1.8)
    return (field[:, ::-1] if rng.random() < 0.25 else field).astype(np.float32)


def _saucer(rng: np.random.Generator, tall: float, wide: float) -> FloatArray:
    tall, wide = 1.25 * tall, 1.25 * wide
    rows, bins = _grid(tall, wide, 1.7)
    field = np.zeros((len(rows), bins.shape[1]), dtype=np.float32)
    for order in range(int(rng.integers(1, 4))):
        apex = -0.5 * wide + order * rng.uniform(0.18, 0.32) * wide
        centre = 0.06 * tall * rng.standard_normal()
        bend = rng.uniform(0.9, 1.7)
        skew = np.where(rows < centre, rng.uniform(0.8, 1.25), rng.uniform(0.8, 1.25))
        arm = apex + wide * (np.abs(rows - centre) / (0.5 * tall) * skew) ** bend
        thick = rng.uniform(2.5, 5.0) + 0.05 * np.abs(bins - apex)
        distance = bins - arm
        line = np.exp(-((distance / thick) ** 2))
        inside = rng.uniform(0.2, 0.65) * expit(distance / thick)
        up = np.exp(-np.maximum(bins - apex, 0.0) / (rng.uniform(0.8, 1.6) * wide))
        field = np.maximum(field, (np.maximum(line, inside) * up * 0.85**order).astype(np.float32))
    end = expit((rng.uniform(0.45, 0.7) * wide - bins) / (0.06 * wide))
    rough = (
        1
        + 0.25 * rng.standard_normal((len(rows), 1))
        + 0.12 * smooth_noise(rng, field.shape, (4, 6))
    )
    return (field * end * np.clip(rough, 0.3, 1.6)).astype(np.float32)


def _streak_cluster(rng: np.random.Generator, tall: float, wide: float) -> FloatArray:
    rows, bins = _grid(tall, wide, 2.2)
    field = np.zeros((len(rows), bins.shape[1]), dtype=np.float32)
    count = int(np.clip(tall / rng.uniform(2.6, 5.5), 5, 22))
    for _ in range(count):
        place = 0.27 * tall * rng.standard_normal()
        row = int(np.clip(round(place) + len(rows) // 2, 1, len(rows) - 2))
        centre, reach = 0.12 * wide * rng.standard_normal(), wide * rng.uniform(0.4, 0.75)
        low, high = centre - reach, centre + reach * rng.uniform(0.8, 1.1)
        soft = wide * rng.uniform(0.04, 0.12)
        streak = expit((bins - low) / soft) * expit((high - bins) / soft)
        streak = streak[0] * np.exp(-0.35 * np.abs(bins[0] - centre) / wide)
        streak = streak * np.exp(-((place / (0.6 * tall)) ** 2)) * rng.uniform(0.45, 1.0)
        field[row] = np.maximum(field[row], streak)
        if rng.random() < 0.4:
            beside = row + int(rng.choice([-1, 1]))
            field[beside] = np.maximum(field[beside], rng.uniform(0.3, 0.8) * streak)
    return field


def _band_stack(rng: np.random.Generator, tall: float, wide: float) -> FloatArray:
    tall, wide = 1.25 * tall, 1.1 * wide
    rows, bins = _grid(tall, wide, 2.0)
    field = np.zeros((len(rows), bins.shape[1]), dtype=np.float32)
    count = int(rng.integers(2, 6))
    drift = rng.uniform(-0.35, 0.35) * wide / tall
    brightest = int(rng.integers(count))
    for order in range(count):
        base = wide * ((order + 0.5) / count - 0.5) + 0.04 * wide * rng.standard_normal()
        place = base + drift * rows + 0.03 * wide * smooth_line(rng, len(rows), 0.4 * tall)[:, None]
        thick = np.float32(wide / count * rng.uniform(0.17, 0.27))
        start, end = (0.5 * tall * rng.uniform(0.6, 1.1, 2)).tolist()
        soft = rng.uniform(1.0, 4.0)
        along = expit((rows + start) / soft) * expit((end - rows) / soft)
        beads = np.exp(0.3 * smooth_line(rng, len(rows), 5.0))[:, None]
        height = 1.0 if order == brightest else rng.uniform(0.45, 0.9)
        band = height * along * beads * np.exp(-(((bins - place) / thick) ** 2))
        field = np.maximum(field, band.astype(np.float32))
    return field


ALMOST_NUCLEI: dict[str, Callable[[np.random.Generator, float, float], FloatArray]] = {
    "hiss_patch": _hiss_patch,
    "saucer": _saucer,
    "streak_cluster": _streak_cluster,
    "band_stack": _band_stack,
}
"""Functions that draw the profile of each kind, given a generator and its size in rows and bins."""
