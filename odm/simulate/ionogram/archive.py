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
from typing import Any

import numpy as np

from odm.core.errors import InputError
from odm.core.files import write_bytes
from odm.simulate.folder import Progress, claim, finish, run_all, share, whole
from odm.simulate.ionogram.ionogram import FIRST, STEP, IonogramRecipe, simulate_ionogram
from odm.simulate.ionogram.scene import KINDS, RAY_MODELS, RayModel

TRUTH = "truth.parquet"
CONFUSERS = "confusers.parquet"
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
    *,
    count: int,
    seed: int = 0,
    kind: str = "any",
    difficulty: float = 0.5,
    series: bool = False,
    ray_model: str | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> IonogramSummary:
    """Simulate an archive of backscatter ionograms with known truth.

    An ionogram depends on its index, the seed and the settings, and on nothing else.

    Args:
        out: a folder that is new, empty, or of a simulation with the same settings.
        count: how many.
        seed: 0 or more.
        kind: ``mixed`` (Es and F), ``f``, ``es``, ``none`` (no layer), or ``any`` of them.
        difficulty: 0 to 1: weaker echoes, fewer looks, more of what disturbs.
        series: one every 15 minutes of one sounder, with slowly moving layers; else each is drawn
            anew.
        ray_model: ``quasi-parabolic`` or ``layered``; None for both.
        workers: processes.
        progress: called with (done, all) after every file.

    Raises:
        InputError: a setting that cannot be meant, or ``out`` holds something else.
    """
    began = time.monotonic()
    if kind not in (*KINDS, "any"):
        raise InputError(f"kind {kind!r} is none of {', '.join(KINDS)}, any")
    if ray_model is not None and ray_model not in RAY_MODELS:
        raise InputError(f"ray model {ray_model!r} is none of {', '.join(RAY_MODELS)}")
    chosen: RayModel | None = next((name for name in RAY_MODELS if name == ray_model), None)
    whole("workers", workers, 1)
    recipe = IonogramRecipe(
        seed=whole("seed", seed, 0),
        kind=kind,
        difficulty=share("difficulty", difficulty),
        series=bool(series),
        ray_model=chosen,
    )
    count = whole("count", count, 1)
    folder = Path(out).expanduser()
    names = [f"SIM{recipe.seed}_{FIRST + i * STEP:%Y%m%d_%H%M%S}.npz" for i in range(count)]
    manifest = claim(
        folder,
        {
            "what": "simulated backscatter ionograms; no measurement",
            "simulator_version": SIMULATOR_VERSION,
            "settings": asdict(recipe) | {"count": count},
            "keys": names,
        },
    )
    results = []
    tasks = [(folder, recipe, index) for index in range(count)]
    for done, result in enumerate(run_all(simulate_one, tasks, workers), start=1):
        results.append(result)
        if progress is not None:
            progress(done, count)
    return _finish(folder, manifest, results, began)


def _finish(
    folder: Path, manifest: bytes, results: list[dict[str, Any]], began: float
) -> IonogramSummary:
    from odm.simulate.ionogram.truth import write_layer_truth

    layers = [row for result in results for row in result["layers"]]
    confusers = [row for result in results for row in result["confusers"]]
    write_layer_truth(folder / TRUTH, folder / CONFUSERS, layers, confusers)
    finish(folder, manifest)
    classes = [row["layer"] for row in layers]
    return IonogramSummary(
        out=str(folder),
        ionograms=len(results),
        without_layers=sum(not result["layers"] for result in results),
        es_layers=classes.count("Es"),
        f_layers=classes.count("F"),
        bytes=sum(result["bytes"] for result in results),
        seconds=time.monotonic() - began,
    )


def simulate_one(task: tuple[Path, IonogramRecipe, int]) -> dict[str, Any]:
    """Write one ionogram with its masks; its rows of truth, and the size of the file."""
    from odm.archive.ionogram.matrix import write_matrix
    from odm.images.layer_truth import mask_png
    from odm.simulate.ionogram.truth import confuser_rows, layer_rows

    folder, recipe, index = task
    one = simulate_ionogram(recipe, index)
    path = folder / f"{one.stem}.npz"
    write_matrix(
        path,
        one.snr.astype(np.float16),  # holds the files' resolution exactly
        one.frequency,
        one.group_range,
        time=one.time.isoformat(),
        link=one.link,
        range_convention="backscatter",
    )
    rows = layer_rows(one, path.name)
    for row, layer in zip(rows, one.layers, strict=True):
        write_bytes(folder / row["mask"], mask_png(layer.mask))
    return {
        "layers": rows,
        "confusers": confuser_rows(one, path.name),
        "bytes": path.stat().st_size,
    }
