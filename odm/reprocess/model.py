"""The model's stage: from images to what it sees in them, wherever it runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from odm.core.errors import InputError
from odm.findings.layers import SeenLayers

if TYPE_CHECKING:
    from odm.findings.layer_segments import LayerSegmenter
    from odm.findings.layers import LayerFinder
    from odm.images.ionogram import IonogramImageSettings
    from odm.models.card import ModelCard
    from odm.models.folder import LoadedModel

Images = NDArray[np.uint8]
BATCH_ON_GPU, BATCH_ON_CPU = 16, 2
NEEDS = {"segmenter": "half-orbits", "detector": "ionograms"}
"""What each kind of model is for."""
WORDS = {
    "engine": r"auto|eager|compile|onnx|openvino",
    "device": r"auto|cpu|mps|cuda(:\d+)?",
    "precision": r"float32|bfloat16",
}
"""What these settings may be; whether it is there too is only known where the model runs."""


EXPORTED = {"onnx": ("ONNX", ".onnx"), "openvino": ("OpenVINO", ".xml")}
"""Engines that run an export: its name and its extension."""


@dataclass(frozen=True)
class ModelSettings:
    """How a model is run.

    Attributes:
        folder: of the model, or of a pipeline.
        digest: of the model that the campaign is about.
        flip, temperature, precision: decide the answers; see `Predictor`.
        boxes: of a detector: its `odm.models.boxes.BoxSettings` as plain values. They decide the
            answers too, and hold the temperature; nothing is flipped.
        batch: images a call; 0 for a default that fits the device.
        engine, device: see `Predictor`; decide no more than rounding.
        exports: folder that keeps exported models.
        segments: whether a pipeline's segmenter is run too.
    """

    folder: str
    digest: str
    flip: bool = False
    temperature: float = 1.0
    precision: Literal["float32", "bfloat16"] = "float32"
    boxes: Mapping[str, Any] | None = None
    batch: int = 0
    engine: str = "auto"
    device: str = "auto"
    exports: str | None = None
    segments: bool = False

    def deciding(self) -> dict[str, Any]:
        """The settings that decide the answers."""
        if self.boxes is not None:
            return {"boxes": dict(self.boxes), "precision": self.precision}
        return {
            "flip": self.flip,
            "temperature": self.temperature,
            "precision": self.precision,
        }


@dataclass(frozen=True)
class Workers:
    """How many of what; 0 for a default from the machine. None of it decides an answer.

    Attributes:
        readers: processes, or CPUs, that read and finish.
        models: copies of the model (on Ray).
        threads: of a CPU for each copy of the model.
        address: of a Ray cluster; None to start or find one.
        object_store_mb: shared memory of a Ray that is started here; 0 for Ray's default.
    """

    readers: int = 0
    models: int = 0
    threads: int = 0
    address: str | None = None
    object_store_mb: int = 0

    def __post_init__(self) -> None:
        for name in ("readers", "models", "threads", "object_store_mb"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} {getattr(self, name)}: give 1 or more, or 0")


class Model(Protocol):
    """A loaded model: for each image what `Stages.finish` wants."""

    @property
    def batch(self) -> int:
        """Images that it computes together."""
        ...

    def __call__(self, images: Images) -> Iterable[Any]:
        """Answers to images (B, H, W) uint8, any B."""
        ...


class LayerModel:
    """A detector, perhaps with a segmenter: what they see needs no torch to be unpickled."""

    def __init__(self, finder: LayerFinder, segmenter: LayerSegmenter | None = None) -> None:
        self.finder, self.segmenter = finder, segmenter

    @property
    def batch(self) -> int:
        """See `Model`."""
        return self.finder.predictor.batch

    def __call__(self, images: Images) -> list[SeenLayers]:
        """See `Model`."""
        found = self.finder.layers(images)
        if self.segmenter is None:
            return [SeenLayers(tuple(layers)) for layers in found]
        segments = self.segmenter(images)
        return [
            SeenLayers(tuple(one), classes) for one, classes in zip(found, segments, strict=True)
        ]


def load_predictor(settings: ModelSettings, threads: int = 0) -> Model:
    """Load the model, ready to answer.

    Args:
        settings: which, and how.
        threads: of the CPU; 0 to leave them as they are.

    Raises:
        InputError: no such model any more, or a device or engine that is not there.
    """
    import cv2
    import torch

    from odm.models.folder import load_model
    from odm.models.networks.base import find_device
    from odm.models.predictor import Predictor

    if threads:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
    device = find_device(settings.device)
    batch = settings.batch or (BATCH_ON_CPU if device.type == "cpu" else BATCH_ON_GPU)
    running: dict[str, Any] = {
        "batch": batch,
        "engine": settings.engine,
        "device": str(device),
        "precision": settings.precision,
        "exports": settings.exports,
    }
    if settings.boxes is not None:
        return _load_layers(settings, running)
    loaded = load_model(settings.folder, expect={"digest": settings.digest})
    flip, temperature = settings.flip, settings.temperature
    running["digest"] = settings.digest
    return Predictor(loaded.model, flip=flip, temperature=temperature, **running)


def _load_layers(settings: ModelSettings, running: dict[str, Any]) -> LayerModel:
    """A detector, with its segmenter where that is wanted."""
    from odm.findings.layer_segments import LayerSegmenter
    from odm.findings.layers import LayerFinder
    from odm.models.boxes import BoxSettings
    from odm.models.folder import load_model
    from odm.models.pipeline import is_pipeline, load_pipeline

    members: dict[str, LoadedModel] = {}
    if is_pipeline(settings.folder):
        pipeline = load_pipeline(settings.folder)
        if pipeline.digest != settings.digest:
            raise InputError(f"{settings.folder} is another pipeline than when the run began")
        members.update(pipeline.members)
    else:
        members["detector"] = load_model(settings.folder, expect={"digest": settings.digest})
    detector = members["detector"]
    image, digest = window_of(detector.card), {"digest": detector.card.digest}
    boxes = BoxSettings.from_dict(dict(settings.boxes or {}))
    finder = LayerFinder(detector.model, image, boxes, **running, **digest)
    if not settings.segments:
        return LayerModel(finder)
    segmenter = members["segmenter"]
    digest = {"digest": segmenter.card.digest}
    own = window_of(segmenter.card)
    return LayerModel(finder, LayerSegmenter(segmenter.model, own, image, **running, **digest))


def window_of(card: ModelCard) -> IonogramImageSettings:
    """How an ionogram becomes the image of a model."""
    from odm.images.ionogram import IonogramImageSettings

    return IonogramImageSettings.from_dict(dict(card.image))


def loading(settings: ModelSettings) -> str:
    """What the first outcome waits for, in words: workers that load a model cannot say so.

    Args:
        settings: with the device that the model runs on.
    """
    engine = settings.engine
    if engine == "auto" and settings.device == "cpu":
        engine = "openvino" if find_spec("openvino") else "eager"
    form = EXPORTED.get(engine)
    if form is None or settings.exports is None:
        return "loading model"
    from odm.models.pipeline import is_pipeline, read_cards

    digests = [settings.digest]
    if is_pipeline(settings.folder):  # each of its models that is used is kept under its own
        cards = read_cards(settings.folder)
        used = cards if settings.segments else ["detector"]
        digests = [cards[role].digest for role in used]
    name, suffix = form
    exports = Path(settings.exports)
    if all(any(exports.glob(f"{digest[:16]}-*{suffix}")) for digest in digests):
        return "loading model"
    return f"loading model and exporting it to {name}"


def find_model(folder: str | Path | None, kind: str, **how: Any) -> tuple[str, ModelCard]:
    """The model that is named, or the one that comes with the package.

    Args:
        folder: of the model; None for the package's own.
        kind: ``segmenter`` or ``detector``.
        how: settings of `ModelSettings` whose words are checked, before a campaign is made.

    Returns:
        Its folder and its card.

    Raises:
        InputError: it is no model folder, or of another kind; or a setting that cannot be meant.
    """
    check_words(how)
    from odm.models.card import read_model_card
    from odm.models.shipped import model_folder, shipped_model

    if folder is None:
        folder = shipped_model(kind)
    folder = model_folder(folder)
    card = read_model_card(folder)
    found = card.architecture["kind"]
    if found != kind:
        raise InputError(f"{folder} is a {found}: {NEEDS[kind]} need a {kind}")
    return str(folder), card


def check_words(how: Mapping[str, Any]) -> None:
    """Raise InputError where one of `WORDS` cannot be meant."""
    for name, words in WORDS.items():
        if name in how and not re.fullmatch(words, str(how[name])):
            choice = words.replace(r"(:\d+)?", " or cuda:N").replace("|", ", ")
            raise InputError(f"{name} {how[name]!r}: give {choice}")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
