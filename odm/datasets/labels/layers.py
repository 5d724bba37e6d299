"""Labelled ionograms: layers in boxes, from people's files or from a simulation.

| what | found by | says |
|---|---|---|
| a simulation | ``simulation.json`` | boxes in Hz and km; ionograms without a layer too |
| COCO | one ``.json``, the file itself or alone in a folder | all images that it lists |
| LabelImg's Pascal VOC | ``<ionogram>.xml`` | one ionogram each |
| YOLO | ``<ionogram>.txt``, perhaps ``classes.txt`` | one ionogram each; an empty file: no layer |

People draw on a picture: of the ionogram itself (frequency to the right, range up, a pixel for each
value, or scaled), or of a data set's window. Their boxes are kept as shares of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from odm.archive.ionogram.base import LAYERS
from odm.core.errors import AnnotationError, InputError
from odm.core.text import unknown_name
from odm.datasets.labels.coco import Shares, is_coco, read_coco
from odm.datasets.labels.drawing import AnnotatedObject, Picture
from odm.datasets.labels.formats import read_voc, read_yolo
from odm.images.box_augmentation import KEEP, SIDE
from odm.images.ionogram import IonogramImageSettings, cell_borders
from odm.images.layer_truth import read_truth

if TYPE_CHECKING:
    import xarray as xr

SIMULATED = "simulation"
SIMULATION = "simulation.json"
TRUTH = "truth.parquet"
_YOLO_SIDE = 2000
"""YOLO files know no pixels; theirs are counted in so many a side."""

DrawnOn = Literal["ionogram", "window"]
Physical = tuple[str, float, float, float, float]
"""Class; frequency_min, frequency_max (Hz), range_min, range_max (km): borders."""


@dataclass(frozen=True, slots=True)
class LabelledIonogram:
    """An ionogram that somebody has looked at.

    Attributes:
        shares: boxes as shares of a picture.
        centres: boxes in Hz and km, by the centres of their outermost values.
        ray_model: that a simulation used; empty for people's.
        masks: class and mask picture of each layer, where a simulation has them; see
            `odm.images.layer_truth.read_mask`.
    """

    shares: tuple[Shares, ...] = ()
    centres: tuple[Physical, ...] = ()
    ray_model: str = ""
    masks: tuple[tuple[str, str], ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """The class of each box."""
        return tuple(box[0] for box in (*self.shares, *self.centres))


@dataclass(frozen=True)
class LayerLabels:
    """A folder of labelled ionograms.

    Attributes:
        folder: where it lies; of COCO the file.
        source: ``simulation``, ``coco``, ``voc`` or ``yolo``.
        images: by the stem of the ionogram's name.
        classes: the layers that may be drawn.
    """

    folder: Path
    source: str
    images: Mapping[str, LabelledIonogram]
    classes: tuple[str, ...] = LAYERS


def load_layer_labels(place: str | Path, classes: tuple[str, ...] = LAYERS) -> LayerLabels:
    """Read labels of any known kind.

    Args:
        place: a folder, or a COCO file.
        classes: names of the layers.

    Raises:
        InputError: there are no labels.
        AnnotationError: a file is bad, or names another class.
    """
    path = Path(place)
    if path.is_file():
        if path.suffix != ".json":
            raise InputError(
                f"{place}: a file of labels is a COCO .json; give the folder of LabelImg .xml, of "
                "YOLO .txt or of a simulation"
            )
        return _checked(LayerLabels(path, "coco", _coco(path), classes))
    if not path.is_dir():
        raise InputError(f"{place}: no such folder of labels")
    if (path / SIMULATION).is_file():
        return LayerLabels(path, SIMULATED, _simulated(path, classes), classes)
    listed = [file for file in sorted(path.glob("*.json")) if is_coco(file)]
    if len(listed) > 1:
        raise InputError(f"{place}: has {len(listed)} COCO files; name the one that is meant")
    if listed:
        return _checked(LayerLabels(path, "coco", _coco(listed[0]), classes))
    for ending, source in ((".xml", "voc"), (".txt", "yolo")):
        files = [f for f in sorted(path.glob(f"*{ending}")) if f.name != "classes.txt"]
        if files:
            read = _voc if source == "voc" else _yolo
            images = {file.stem: LabelledIonogram(read(file, classes)) for file in files}
            return LayerLabels(path, source, images, classes)
    raise InputError(
        f"{place}: no labels of ionograms (a simulation, COCO .json, LabelImg .xml, YOLO .txt)"
    )


def boxes_on_image(
    labelled: LabelledIonogram,
    ionogram: xr.Dataset,
    settings: IonogramImageSettings,
    classes: tuple[str, ...],
    drawn_on: DrawnOn = "ionogram",
) -> NDArray[np.float32]:
    """(N, 5) class index, left, top, right, bottom in pixels of the model image.

    What the window shows little of, or as a line only, is left out.
    """
    rows = []
    for name, *edges in physical_boxes(labelled, ionogram, settings, drawn_on):
        left, top, right, bottom = settings.box_to_pixels(*edges)
        whole = (edges[1] - edges[0]) * (edges[3] - edges[2])
        seen = settings.box_to_physical(left, top, right, bottom)
        share = (seen[1] - seen[0]) * (seen[3] - seen[2]) / whole
        if min(right - left, bottom - top) >= SIDE and share >= KEEP:
            rows.append((classes.index(name), left, top, right, bottom))
    return np.array(rows, dtype=np.float32).reshape(-1, 5)


def physical_boxes(
    labelled: LabelledIonogram,
    ionogram: xr.Dataset,
    settings: IonogramImageSettings | None = None,
    drawn_on: DrawnOn = "ionogram",
) -> list[Physical]:
    """The boxes in Hz and km, from border to border of their outermost values; the settings are
    those of the window, where boxes were drawn on one."""
    frequency = np.asarray(ionogram["frequency"].values, np.float64)
    group_range = np.asarray(ionogram["group_range"].values, np.float64)
    boxes: list[Physical] = []
    for name, low, high, near, far in labelled.centres:
        boxes.append((name, *_outer(frequency, low, high), *_outer(group_range, near, far)))
    for name, left, top, right, bottom in labelled.shares:
        if drawn_on == "window" and settings is not None:
            pixels = np.array([left, top, right, bottom]) * np.tile(
                [settings.width, settings.height], 2
            )
            boxes.append((name, *settings.box_to_physical(*pixels)))
            continue
        low, high = _at_shares(frequency, [left, right])
        near, far = _at_shares(group_range, [1 - bottom, 1 - top])
        boxes.append((name, low, high, near, far))
    return boxes


def _outer(axis: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """The borders of the cells whose centres two values are."""
    lower, upper = cell_borders(axis)
    first, last = (int(np.abs(axis - value).argmin()) for value in (low, high))
    return float(lower[first]), float(upper[last])


def _at_shares(axis: NDArray[np.float64], shares: list[float]) -> tuple[float, float]:
    """Values of an axis at shares of a picture with one pixel for each of its values."""
    lower, upper = cell_borders(axis)
    borders = np.append(lower, upper[-1])
    low, high = np.interp(np.array(shares) * axis.size, np.arange(axis.size + 1), borders)
    return float(low), float(high)


def _simulated(folder: Path, classes: tuple[str, ...]) -> dict[str, LabelledIonogram]:
    keys = simulated_keys(folder)
    path = folder / TRUTH
    if keys is None or not path.is_file():
        raise InputError(f"{folder}: no finished simulation of ionograms")
    columns = ["source", "layer", "frequency_min", "frequency_max", "range_min", "range_max"]
    boxes: dict[str, list[Physical]] = {Path(name).stem: [] for name in keys}
    models: dict[str, str] = {}
    masks: dict[str, list[tuple[str, str]]] = {}
    for row in read_truth(path, [*columns, "ray_model", "mask"]):
        stem = Path(row["source"]).stem
        if stem not in boxes:
            raise AnnotationError(path, stem, f"is not in {SIMULATION}")
        if row["layer"] not in classes:
            raise AnnotationError(path, stem, f"unknown class {row['layer']}")
        low, high, near, far = (row[name] for name in columns[2:])
        boxes[stem].append((row["layer"], low, high, near, far))
        models[stem] = row["ray_model"]
        masks.setdefault(stem, []).append((row["layer"], str(folder / row["mask"])))
    return {
        stem: LabelledIonogram(
            centres=tuple(centres),
            ray_model=models.get(stem, ""),
            masks=tuple(masks.get(stem, ())),
        )
        for stem, centres in boxes.items()
    }


def simulated_keys(folder: Path) -> list[str] | None:
    """Names of the files of a simulation of ionograms; None for what is none.

    Raises:
        AnnotationError: its ``simulation.json`` cannot be read.
    """
    path = folder / SIMULATION
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if "ionogram" not in str(manifest.get("what", "")):
            return None
        return [str(name) for name in manifest["keys"]]
    except (ValueError, AttributeError, LookupError, TypeError):
        raise AnnotationError(path, "", "cannot be understood; simulate again") from None


def _coco(path: Path) -> dict[str, LabelledIonogram]:
    return {stem: LabelledIonogram(boxes) for stem, boxes in read_coco(path).items()}


def _voc(path: Path, classes: tuple[str, ...]) -> tuple[Shares, ...]:
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(path.read_bytes())
        size = [int(float(root.findtext(f"size/{name}") or 0)) for name in ("height", "width")]
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        size = [1, 1]  # said better by what reads it
    if not all(0 < side <= 20_000 for side in size):
        raise AnnotationError(path, "", "does not say the size of its image")
    return _shares(read_voc(path, Picture(path.stem, size[0], size[1], classes)).objects, size)


def _yolo(path: Path, classes: tuple[str, ...]) -> tuple[Shares, ...]:
    size = [_YOLO_SIDE, _YOLO_SIDE]
    picture = Picture(path.stem, size[0], size[1], classes, exact_edges=True)
    return _shares(read_yolo(path, picture).objects, size)


def _shares(objects: Sequence[AnnotatedObject], size: list[int]) -> tuple[Shares, ...]:
    height, width = size
    return tuple(
        (
            drawn.label,
            drawn.box[0] / width,
            drawn.box[1] / height,
            drawn.box[2] / width,
            drawn.box[3] / height,
        )
        for drawn in objects
    )


def _checked(labels: LayerLabels) -> LayerLabels:
    for stem, image in labels.images.items():
        for name in image.layers:
            if name not in labels.classes:
                reason = unknown_name("class", name, labels.classes)
                raise AnnotationError(labels.folder, stem, reason)
    return labels
