"""Oblique ionograms of chirpsounder2 (https://github.com/jvierine/chirpsounder2), HDF5.

``SNR`` [frequency, range] is linear, (P - median) / median, and NaN below a threshold; ``freqs`` in
Hz; ``ranges`` in m over the whole link. Where ``range_offset_applied`` is false, the receiver's
clock started ``t0``'s fraction of a second late, and that way of light is added.
"""

from __future__ import annotations

import contextlib
from typing import Any

import h5py
import numpy as np

from odm.archive.hdf5 import as_text, dataset, text_attribute, values
from odm.archive.ionogram.base import MAXIMUM_VALUES, Ionogram
from odm.core.errors import ArchiveError

LIGHT_KM_S = 299_792.458


def is_chirpsounder(file: h5py.File) -> bool:
    """Whether the file looks like one of chirpsounder2's."""
    return all(name in file for name in ("SNR", "freqs", "ranges"))


def read_chirpsounder(path: object, file: h5py.File) -> Ionogram:
    """Read a chirpsounder2 ionogram.

    Raises:
        ArchiveError: a dataset is missing or damaged.
    """
    arrays = {}
    for name in ("SNR", "freqs", "ranges"):
        stored = dataset(path, file, name)
        if stored is None or (stored.size or 0) > MAXIMUM_VALUES:
            raise ArchiveError(path, f"wrong shape: {name}")
        arrays[name] = values(path, stored).astype(np.float64)
    start = _scalar(file, "t0")
    ranges_km = arrays["ranges"].ravel() / 1e3
    applied = _scalar(file, "range_offset_applied")
    if not applied and np.isfinite(start):
        ranges_km = ranges_km + LIGHT_KM_S * (start % 1.0)
    time = np.datetime64("NaT", "ns")
    if np.isfinite(start):
        time = np.datetime64(round(start * 1e6), "us").astype("datetime64[ns]")
    names = [_text(file, name) for name in ("txname", "station_name", "ch")]
    with np.errstate(invalid="ignore", divide="ignore"):
        # Below 0 the power was under the median: as good as the noise, but no value in dB.
        snr = 10 * np.log10(np.maximum(arrays["SNR"], -0.999) + 1)
    return Ionogram(
        snr=snr,
        frequency=arrays["freqs"],
        group_range=ranges_km,
        range_convention="oblique",
        time=time,
        link="-".join(name for name in names if name),
        file_format="chirpsounder2 (.h5)",
        more={"chirp_rate_hz_per_s": _scalar(file, "rate")} if "rate" in file else {},
    )


def _raw(file: h5py.File, name: str) -> Any:
    with contextlib.suppress(OSError, RuntimeError, KeyError, TypeError):
        stored = file.get(name)
        if isinstance(stored, h5py.Dataset) and stored.size == 1:
            return np.asarray(stored[()]).ravel()[0]
    return None


def _scalar(file: h5py.File, name: str) -> float:
    """Return a number from a dataset or attribute; NaN (0 for a flag) where it is missing."""
    raw = _raw(file, name)
    if raw is None:
        raw = text_attribute(file, name) or (0.0 if name == "range_offset_applied" else np.nan)
    text = as_text(raw)
    if text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _text(file: h5py.File, name: str) -> str:
    raw = _raw(file, name)
    return text_attribute(file, name) if raw is None else as_text(raw)
