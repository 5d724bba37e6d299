"""Ionogram files made by other code than the package's, in every form that is known.

Plain numpy, h5py and scipy: nothing of `odm` is used, so that a mistake in the package cannot hide
in its own test files.
"""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
from scipy.io import netcdf_file

T0 = 1601484843.25
CHIRP = "lfm_ionogram-cyprus-sodankyla-cha-001-1601484843.25.h5"
VIPIR = "JM91J_2020276055804.ngi"


def contents(frequencies: int = 40, ranges: int = 60, seed: int = 1) -> dict[str, np.ndarray]:
    """``snr``, ``frequency`` and ``group_range`` of a healthy backscatter ionogram."""
    rng = np.random.default_rng(seed)
    return {
        "snr": rng.normal(0, 3, (frequencies, ranges)).astype(np.float32),
        "frequency": 6e6 + 1e5 * np.arange(frequencies),
        "group_range": 30.0 + 7.5 * np.arange(ranges),
    }


def write_npz(path: Path, data: dict[str, np.ndarray], **more: object) -> Path:
    np.savez(path, **data, **{name: np.asarray(value) for name, value in more.items()})
    return path


def write_h5(path: Path, data: dict[str, np.ndarray], **attributes: object) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in data.items():
            file.create_dataset(name, data=values)
        for name, value in attributes.items():
            file.attrs[name] = value
    return path


def write_npy(path: Path, data: dict[str, np.ndarray], **facts: object) -> Path:
    np.save(path, data["snr"])
    axes = {name: data[name].tolist() for name in ("frequency", "group_range") if name in data}
    path.with_suffix(".json").write_text(json.dumps(axes | facts))
    return path


def write_chirpsounder(path: Path, applied: bool = True, seed: int = 2) -> dict[str, np.ndarray]:
    """A file as chirpsounder2's calc_ionograms.py writes it; what it holds."""
    rng = np.random.default_rng(seed)
    snr = rng.exponential(1.0, (30, 50)) - 1
    snr[rng.random(snr.shape) < 0.3] = np.nan
    data = {
        "SNR": snr.astype("<f2"),
        "freqs": 2e6 + 1e5 * np.arange(30),
        "ranges": 900e3 + 3e3 * np.arange(50),
    }
    with h5py.File(path, "w") as file:
        for name, values in data.items():
            file[name] = values
        file["rate"], file["t0"], file["id"], file["sr"] = 100e3, T0, 1, 25e6
        file["range_offset_applied"] = applied
        file["txname"], file["station_name"], file["ch"] = "cyprus", "sodankyla", "cha"
    return data


def write_vipir(path: Path, seed: int = 3) -> dict[str, np.ndarray]:
    """A NetCDF-3 file as the NOAA archive has them, with the names that matter; what it holds."""
    rng = np.random.default_rng(seed)
    data = {
        "Frequency": (1601.0 * 1.005 ** np.arange(40)).astype(">f4"),
        "Range": (1.5 * np.arange(1, 81)).astype(">f4"),
        "total_noise": rng.uniform(30, 45, 40).astype(">f4"),
        "total_power": rng.uniform(30, 90, (40, 80)).astype(">f4"),
    }
    file = netcdf_file(path, "w")
    file.createDimension("NumFrequency", 40)
    file.createDimension("NumRange", 80)
    for name, values in data.items():
        along = ("NumRange",) if name == "Range" else ("NumFrequency", "NumRange")[: values.ndim]
        variable = file.createVariable(name, "f4", along)
        variable[:] = values
    epoch = file.createVariable("epoch", "i4", ())
    epoch.data[...] = 1601618284
    file.station = "Jicamarca"
    # Real files have this one, and scipy would take it for its own if it were set in the open.
    file._attributes["mode"] = "Research Mode"
    file.close()
    return data
