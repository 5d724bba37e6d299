"""Layers of ionograms that are known: the truth of a simulated archive, read back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.core.errors import AnnotationError, InputError
from odm.core.files import read_bytes
from odm.images.masks import png_bytes

TRUTH = "truth.parquet"
NEEDED = ("ionogram_id", "layer", "frequency_min", "frequency_max", "range_min", "range_max")
"""Columns of a `KnownLayer`; it can do without the others."""
SEEN_DB = 6.0
"""Smallest SNR at which a leading edge can be seen."""


@dataclass(frozen=True, slots=True)
class KnownLayer:
    """One layer of one ionogram.

    Attributes:
        layer: ``Es`` or ``F``.
        frequency: lowest and highest, Hz; centres of the outermost values.
        group_range: shortest and longest, km; centres of the outermost values.
        edge_frequency, edge_group_range, edge_snr: (N,) leading edge in Hz, km and dB.
        mask_path: its mask, for `read_mask`; None where it has none.
        kind: which one of its class, in words.
        ray_model: of the simulation.
        found: whether it was found by a model: its edge is drawn in another colour.
    """

    layer: str
    frequency: tuple[float, float]
    group_range: tuple[float, float]
    edge_frequency: NDArray[np.float64]
    edge_group_range: NDArray[np.float64]
    edge_snr: NDArray[np.float64]
    mask_path: Path | None = None
    kind: str = ""
    ray_model: str = ""
    found: bool = False

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(N,) points of the edge that are strong enough to be seen."""
        return self.edge_snr >= SEEN_DB


def is_layer_truth(folder: str | Path) -> bool:
    """Whether a folder is a simulated archive of ionograms."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(folder) / TRUTH
    try:
        return path.is_file() and {"ionogram_id", "layer"} <= set(pq.read_schema(path).names)
    except (OSError, pa.ArrowException):
        return False


def read_layers(folder: str | Path) -> dict[str, list[KnownLayer]]:
    """The layers in ``truth.parquet`` by ionogram; ionograms without a layer are not in it.

    Raises:
        InputError: the folder holds no such table.
    """
    if not is_layer_truth(folder):
        raise InputError(f"{folder}: holds no {TRUTH} of ionograms")
    known: dict[str, list[KnownLayer]] = {}
    for row in read_truth(Path(folder) / TRUTH):
        known.setdefault(row["ionogram_id"], []).append(_layer(Path(folder), row))
    return known


def read_truth(path: Path, columns: list[str] | None = None) -> list[dict[str, Any]]:
    """The rows of a ``truth.parquet``; all its columns where none are named.

    Raises:
        AnnotationError: it is damaged, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:  # the schema first: a reader calls what it was not given damaged
        file = pq.ParquetFile(io.BytesIO(read_bytes(path)))
        lacking = sorted(set(columns or NEEDED) - set(file.schema_arrow.names))
        if lacking:
            what = "columns" if len(lacking) > 1 else "column"
            raise AnnotationError(path, "", f"has no {what} {', '.join(lacking)}")
        rows: list[dict[str, Any]] = file.read(columns=columns).to_pylist()
    except (OSError, pa.ArrowException):
        raise AnnotationError(path, "", "damaged table of truth; simulate again") from None
    return rows


def _layer(folder: Path, row: Mapping[str, Any]) -> KnownLayer:
    def numbers(name: str) -> NDArray[np.float64]:
        return np.asarray(row.get(name) or [], dtype=np.float64)

    return KnownLayer(
        layer=row["layer"],
        frequency=(row["frequency_min"], row["frequency_max"]),
        group_range=(row["range_min"], row["range_max"]),
        edge_frequency=numbers("edge_frequency"),
        edge_group_range=numbers("edge_group_range"),
        edge_snr=numbers("edge_snr"),
        mask_path=folder / row["mask"] if row.get("mask") else None,
        kind=row.get("layer_kind") or "",
        ray_model=row.get("ray_model") or "",
    )


def drawn_layer(layer: str, low: float, high: float, near: float, far: float) -> KnownLayer:
    """A box that a person drew (Hz, km), which says nothing of an edge."""
    none = np.empty(0)
    return KnownLayer(layer, (low, high), (near, far), none, none, none)


def mask_png(mask: NDArray[np.bool_]) -> bytes:
    """PNG, 0 and 255, of a mask (F, R): a column per frequency, top = longest range."""
    return png_bytes(np.ascontiguousarray(mask.T[::-1]).astype(np.uint8) * np.uint8(255))


def read_mask(path: str | Path) -> NDArray[np.bool_]:
    """Inverse of `mask_png`: a mask (F, R), rows of frequency, ranges rising.

    Raises:
        InputError: no picture.
    """
    pixels = cv2.imdecode(np.frombuffer(read_bytes(path), np.uint8), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise InputError(f"{path}: not a picture that can be read")
    return np.asarray(pixels[::-1].T > 0)
