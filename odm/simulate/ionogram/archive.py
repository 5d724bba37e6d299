"""A whole archive of simulated backscatter ionograms with its truth.

    OUT/<link>_<time>.npz     SNR matrices with their axes; see `odm.archive.ionogram.matrix`
    OUT/truth.parquet         a row per layer that can be seen; `LAYER_TRUTH_SCHEMA`
    OUT/confusers.parquet     a row per echo that is no layer, or too faint a one
    OUT/masks/<stem>_<n>_<layer>.png  0 and 255, a column per frequency (left = lowest), a line per
                              range gate, top = longest; one picture per row of truth
    OUT/simulation.json       all settings, and the names of all ionograms; written last

In ``truth.parquet`` a layer is a row: ``ionogram_id`` (the file's stem, `IonogramKey.identity`),
``layer`` ("Es" or "F"), its box ``frequency_min``, ``frequency_max`` (Hz), ``range_min``,
``range_max`` (km; all of them centres of the outermost values of the mask), ``mask``, its leading
edge as ``edge_frequency`` (Hz), ``edge_group_range`` (km) and ``edge_snr`` (dB), and ``ray_model``.
Ionograms without a layer have no row and are in ``simulation.json`` alone. Anything that a model
learns or scores here is about simulated data only.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from odm.archive.ionogram.matrix import write_matrix
from odm.core.files import write_bytes
from odm.core.progress import Advance, unheard
from odm.images.layer_truth import mask_png
from odm.simulate.folder import ArchiveRecipe, SimulatedFile, simulate_archive
from odm.simulate.ionogram.ionogram import name_ionogram, simulate_ionogram
from odm.simulate.ionogram.recipe import IonogramSimulation
from odm.simulate.ionogram.truth import (
    IONOGRAM_CONFUSER_SCHEMA,
    LAYER_TRUTH_SCHEMA,
    confuser_rows,
    layer_rows,
)

SIMULATOR_VERSION = 1
"""Changes whenever the same settings give other bytes."""


@dataclass(frozen=True)
class IonogramSummary:
    """What a simulation wrote.

    ``out``: the folder; ``ionograms``: files; ``without_layers``: how many of them show none;
    ``es_layers``, ``f_layers``: numbers of layers; ``bytes``: size of the files; ``seconds``: time
    taken.
    """

    out: str
    ionograms: int
    without_layers: int
    es_layers: int
    f_layers: int
    bytes: int
    seconds: float


def simulate_ionograms(
    out: str | Path,
    settings: IonogramSimulation,
    *,
    workers: int = 1,
    advance: Advance = unheard,
) -> IonogramSummary:
    """Simulate an archive of backscatter ionograms with known truth.

    An ionogram depends on its index, the seed and the settings, and on nothing else.

    Args:
        out: a folder that is new, empty, or of a simulation with the same settings.
        settings: what to simulate.
        workers: number of processes.
        advance: called after every file.

    Raises:
        InputError: ``out`` holds something else.
    """
    began = time.monotonic()
    recipe = ArchiveRecipe(
        manifest={
            "what": "simulated backscatter ionograms; no measurement",
            "simulator_version": SIMULATOR_VERSION,
            "settings": asdict(settings),
        },
        settings=settings,
        files={f"{name_ionogram(settings, index)}.npz": index for index in range(settings.count)},
        write_file=_write_file,
        truth=LAYER_TRUTH_SCHEMA,
        confusers=IONOGRAM_CONFUSER_SCHEMA,
    )
    files = simulate_archive(out, recipe, workers, advance)
    classes = [row["layer"] for file in files for row in file.truth]
    return IonogramSummary(
        out=str(Path(out).expanduser()),
        ionograms=len(files),
        without_layers=sum(not file.truth for file in files),
        es_layers=classes.count("Es"),
        f_layers=classes.count("F"),
        bytes=sum(file.bytes for file in files),
        seconds=time.monotonic() - began,
    )


def _write_file(folder: Path, settings: IonogramSimulation, index: int) -> SimulatedFile:
    """Write one ionogram with its masks."""
    ionogram = simulate_ionogram(settings, index)
    path = folder / f"{ionogram.stem}.npz"
    write_matrix(
        path,
        ionogram.snr.astype(np.float16),  # holds the files' resolution exactly
        ionogram.frequency,
        ionogram.group_range,
        time=ionogram.time.isoformat(),
        link=ionogram.link,
        range_convention="backscatter",
    )
    rows = layer_rows(ionogram, path.name)
    for row, layer in zip(rows, ionogram.layers, strict=True):
        write_bytes(folder / row["mask"], mask_png(layer.mask))
    return SimulatedFile(rows, confuser_rows(ionogram, path.name), path.stat().st_size)
