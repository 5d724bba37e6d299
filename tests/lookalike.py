"""Half-orbit files made by other code than the simulator, in every form that is known or feared.

Plain h5py and plain arithmetic: nothing of `odm` is used, so that a mistake in the package cannot
hide in its own test files.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import h5py
import numpy as np

NAME = "CSES_01_EFD_3_L02_A1_175381_20210401_012158_20210401_015642_000.h5"
START = datetime(2021, 4, 1, 1, 22, 3, 250_000)  # 5.25 s later than the name says


def stamp(moment: datetime) -> int:
    """17 digits: YYYYMMDDhhmmssmmm."""
    return int(f"{moment:%Y%m%d%H%M%S}{moment.microsecond // 1000:03d}")


def contents(rows: int = 60, columns: int = 1024, seed: int = 1) -> dict[str, np.ndarray]:
    """Datasets of a healthy survey file; change them, then `write`."""
    rng = np.random.default_rng(seed)
    moments = [START + timedelta(milliseconds=2048 * row) for row in range(rows)]
    epoch = datetime(2009, 1, 1)
    latitude = np.linspace(-65.0, 65.0, rows)
    data = {f"A13{axis}_P": np.sqrt(rng.gamma(2.0, 1e-8, (rows, columns))) for axis in (1, 2, 3)}
    column = {
        "UTC_TIME": np.array([stamp(moment) for moment in moments], dtype="<i8"),
        "VERSE_TIME": np.array(
            [(moment - epoch) // timedelta(milliseconds=1) for moment in moments], dtype="<i8"
        ),
        "GEO_LAT": latitude.astype("<f4"),
        "GEO_LON": np.linspace(10.0, -10.0, rows).astype("<f4"),
        "MAG_LAT": (latitude + 3).astype("<f4"),
        "MAG_LON": np.linspace(80.0, 60.0, rows).astype("<f4"),
        "ALTITUDE": np.full(rows, 507.0, dtype="<f4"),
        "WORKMODE": np.ones(rows, dtype="<i4"),
        "FREQ": np.arange(columns) * (50_000 / 2048),
    }
    return data | {name: values[:, None] for name, values in column.items()}


def write(
    folder: Path,
    data: dict[str, np.ndarray],
    name: str = NAME,
    attributes: dict[str, dict[str, object]] | None = None,
    **options: object,
) -> Path:
    """Write ``data`` as a flat file; ``options`` go to every 2-D spectrum (chunks, compression)."""
    path = folder / name
    with h5py.File(path, "w") as file:
        for dataset, values in data.items():
            wanted = options if dataset.endswith("_P") else {}
            file.create_dataset(dataset, data=values, **wanted)
            usual = {"units": np.array([b"1"]), "description": f"a text on {dataset}"}
            for key, value in (attributes or {}).get(dataset, usual).items():
                file[dataset].attrs[key] = value
        file.attrs["ORBITNUM"] = np.array([17538])
        file.attrs["ORBITTYPE"] = np.array([1])
    return path


def renamed(orbit_number: int, direction: int = 1, level: str = "L02", suffix: str = "000") -> str:
    """The name of another half-orbit; orbits follow each other every 5 days / 76."""
    start = datetime(2021, 4, 1, 1, 21, 58) + (orbit_number - 17538) * timedelta(days=5) / 76
    end = start + timedelta(minutes=34, seconds=44)
    return (
        f"CSES_01_EFD_3_{level}_A1_{orbit_number:05d}{direction}_{start:%Y%m%d_%H%M%S}_"
        f"{end:%Y%m%d_%H%M%S}_{suffix}.h5"
    )
