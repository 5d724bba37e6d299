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
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from odm.archive.ionogram.base import LAYERS
from odm.core.errors import AnnotationError, InputError
from odm.core.text import unknown_name
from odm.datasets.labels.drawing import Drawing, Picture
from odm.datasets.labels.folder import Labels
from odm.datasets.labels.formats import draw_voc, read_xml, read_yolo
from odm.images.box_augmentation import KEEP, SIDE
from odm.images.ionogram import IonogramImageSettings, cell_borders
from odm.images.layer_truth import TRUTH, read_truth

if TYPE_CHECKING:
    import xarray as xr

SIMULATED = "simulation"
SIMULATION = "simulation.json"
_YOLO_SIDE = 2000
"""YOLO files know no pixels; theirs are counted in so many a side."""

_TABLES = ("images", "annotations", "categories")
Shares = tuple[str, float, float, float, float]
"""Class; left, top, right, bottom as shares of the image's width and height."""
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


LayerLabels = Labels[LabelledIonogram]
"""Labelled ionograms; the source is ``simulation``, ``coco``, ``voc`` or ``yolo``."""


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
        return LayerLabels(path, "coco", _coco(path, path, classes), classes)
    if not path.is_dir():
        raise InputError(f"{place}: no such folder of labels")
    if (path / SIMULATION).is_file():
        return LayerLabels(path, SIMULATED, _simulated(path, classes), classes)
    listed = [file for file in sorted(path.glob("*.json")) if is_coco(file)]
    if len(listed) > 1:
        raise InputError(f"{place}: has {len(listed)} COCO files; name the one that is meant")
    if listed:
        return LayerLabels(path, "coco", _coco(listed[0], path, classes), classes)
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
    manifest = folder / SIMULATION
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        finished = "ionogram" in str(content.get("what", ""))
        keys = [str(name) for name in content["keys"]] if finished else []
    except (ValueError, AttributeError, LookupError, TypeError):
        raise AnnotationError(manifest, "", "cannot be understood; simulate again") from None
    path = folder / TRUTH
    if not finished or not path.is_file():
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


def _coco(path: Path, place: Path, classes: tuple[str, ...]) -> dict[str, LabelledIonogram]:
    images = {stem: LabelledIonogram(boxes) for stem, boxes in read_coco(path).items()}
    for stem, image in images.items():
        for name in image.layers:
            if name not in classes:
                raise AnnotationError(place, stem, unknown_name("class", name, classes))
    return images


def _voc(path: Path, classes: tuple[str, ...]) -> tuple[Shares, ...]:
    root = read_xml(path)
    try:
        height, width = (
            int(float(root.findtext(f"size/{name}") or 0)) for name in ("height", "width")
        )
    except ValueError:
        height = width = 1  # said better by what draws it
    if not all(0 < side <= 20_000 for side in (height, width)):
        raise AnnotationError(path, "", "does not say the size of its image")
    picture = Picture(path.stem, height, width, classes)
    return _shares(draw_voc(path, root, picture), picture)


def _yolo(path: Path, classes: tuple[str, ...]) -> tuple[Shares, ...]:
    picture = Picture(path.stem, _YOLO_SIDE, _YOLO_SIDE, classes, exact_edges=True)
    return _shares(read_yolo(path, picture), picture)


def _shares(drawing: Drawing, picture: Picture) -> tuple[Shares, ...]:
    width, height = picture.width, picture.height
    boxes = [(drawn.label, *drawn.box) for drawn in drawing.objects]
    return tuple(
        (label, left / width, top / height, right / width, bottom / height)
        for label, left, top, right, bottom in boxes
    )


def is_coco(path: Path) -> bool:
    """Whether a JSON file has what a COCO file has."""
    try:
        _content(path)
    except (OSError, AnnotationError):
        return False
    return True


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError:
        raise AnnotationError(path, "", "not a readable JSON file") from None
    if not isinstance(content, dict) or not set(_TABLES) <= set(content):
        raise AnnotationError(path, "", "not a COCO file: it needs images, annotations, categories")
    return content


def read_coco(path: Path) -> dict[str, tuple[Shares, ...]]:
    """The boxes of every image, by the stem of its name; images without a box included.

    Boxes of crowds (``iscrowd``) are passed over.

    Raises:
        AnnotationError: malformed JSON, an annotation of no image or category, a box that is none,
            or two images of one name.
    """
    content = _content(path)
    tables = [content[name] for name in _TABLES]
    if not all(
        isinstance(rows, list) and all(isinstance(r, dict) for r in rows) for rows in tables
    ):
        raise AnnotationError(path, "", "images, annotations and categories have to be lists")
    pictures, annotations, categories = tables
    names = {row.get("id"): str(row.get("name", "")).strip() for row in categories}
    images, boxes = _images(path, pictures)
    for number, row in enumerate(annotations, start=1):
        subject = f"annotation {number}"
        if row.get("iscrowd"):
            continue
        if row.get("image_id") not in images:
            raise AnnotationError(path, subject, f"is of no image ({row.get('image_id')!r})")
        if row.get("category_id") not in names:
            raise AnnotationError(path, subject, f"is of no category ({row.get('category_id')!r})")
        stem, width, height = images[row["image_id"]]
        x, y, w, h = _bbox(path, subject, row.get("bbox"))
        edges = (x / width, y / height, (x + w) / width, (y + h) / height)
        boxes[stem].append((names[row["category_id"]], *edges))
    return {stem: tuple(image_boxes) for stem, image_boxes in boxes.items()}


def _images(
    path: Path, rows: list[dict[str, Any]]
) -> tuple[dict[Any, tuple[str, float, float]], dict[str, list[Shares]]]:
    images: dict[Any, tuple[str, float, float]] = {}
    boxes: dict[str, list[Shares]] = {}
    for number, row in enumerate(rows, start=1):
        subject = f"image {number}"
        stem = PureWindowsPath(str(row.get("file_name", ""))).stem
        if not stem:
            raise AnnotationError(path, subject, "has no file_name")
        if stem in boxes:
            raise AnnotationError(path, subject, f"{stem} is there twice")
        width, height = (_number(path, subject, row, name) for name in ("width", "height"))
        if min(width, height) <= 0:
            raise AnnotationError(path, subject, f"has no area ({width:g} by {height:g})")
        images[row.get("id")] = (stem, width, height)
        boxes[stem] = []
    return images, boxes


def _bbox(path: Path, subject: str, value: object) -> tuple[float, float, float, float]:
    if not isinstance(value, list) or len(value) != 4:
        raise AnnotationError(path, subject, "has no bbox of 4 numbers (x, y, width, height)")
    try:
        x, y, width, height = (float(number) for number in value)
    except (TypeError, ValueError):
        raise AnnotationError(path, subject, f"bbox {value} holds what is no number") from None
    if not all(map(math.isfinite, (x, y, width, height))) or min(width, height) <= 0:
        raise AnnotationError(path, subject, f"has no area ({width:g} by {height:g} pixels)")
    return x, y, width, height


def _number(path: Path, subject: str, row: Mapping[str, Any], name: str) -> float:
    try:
        return float(row[name])
    except (KeyError, TypeError, ValueError):
        raise AnnotationError(path, subject, f"has no {name} in pixels") from None
