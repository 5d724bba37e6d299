"""How a model is run over the images of a campaign, wherever it runs; no torch before it loads."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from odm.core.errors import InputError
from odm.reprocess.request import ModelOptions

if TYPE_CHECKING:
    from odm.models.card import ModelCard

Images = NDArray[np.uint8]
BATCH_ON_GPU, BATCH_ON_CPU = 16, 2
EXPORTED = {"onnx": ("ONNX", ".onnx"), "openvino": ("OpenVINO", ".xml")}
"""Name and file extension of the export that an engine runs."""


class ImageModel(Protocol):
    """A loaded model: it says of each image what `Stages.finish` takes."""

    @property
    def batch(self) -> int:
        """Number of images that it computes together."""
        ...

    def __call__(self, images: Images) -> Iterable[Any]:
        """Return an answer to each of images (B, H, W) or (B, H, W, C) uint8, any B."""
        ...


@dataclass(frozen=True)
class Inference(ABC):
    """A model that is named and not yet loaded, and how it is run; goes to other processes.

    Attributes:
        digest: digest of the model, or of the pipeline, that the campaign is about.
        options: the model's folder, which is set here, and how it is run.
        exports: folder that keeps exported models; None to keep none.
    """

    digest: str
    options: ModelOptions
    exports: str | None = None

    @property
    def folder(self) -> str:
        """Folder of the model."""
        assert self.options.folder is not None
        return self.options.folder

    @abstractmethod
    def deciding(self) -> dict[str, Any]:
        """Return the settings that decide the answers, as a campaign's card keeps them."""

    @abstractmethod
    def load(self, threads: int = 0) -> ImageModel:
        """Load the model, ready to answer.

        Args:
            threads: threads of the CPU; 0 to leave them as they are.

        Raises:
            InputError: no such model any more, or a device or engine that is not there.
        """

    def networks(self) -> list[str]:
        """Return the digests of the networks that are run, under which their exports are kept."""
        return [self.digest]

    def placed(self, *, on_gpu: bool) -> Self:
        """Return the same on a GPU or a CPU, with a batch that fits where none was asked for.

        A process of a cluster sees no GPU but its own, so the GPU needs no number.
        """
        batch = self.options.batch or (BATCH_ON_GPU if on_gpu else BATCH_ON_CPU)
        changes = {"device": "cuda" if on_gpu else "cpu", "batch": batch}
        return replace(self, options=self.options.model_copy(update=changes))

    def absolute(self) -> Self:
        """Return the same for processes with other working directories, as those of a cluster."""
        exports = None if self.exports is None else str(Path(self.exports).absolute())
        folder = {"folder": str(Path(self.folder).absolute())}
        return replace(self, exports=exports, options=self.options.model_copy(update=folder))

    def predictor_options(self, threads: int) -> dict[str, Any]:
        """Set the threads of this process, and return what `odm.models.predictor` is told."""
        import cv2
        import torch

        from odm.models.networks.base import find_device

        if threads:
            torch.set_num_threads(threads)
            cv2.setNumThreads(threads)
        device = find_device(self.options.device)
        return {
            "batch": self.options.batch or (BATCH_ON_CPU if device.type == "cpu" else BATCH_ON_GPU),
            "engine": self.options.engine,
            "device": str(device),
            "precision": self.options.precision,
            "exports": self.exports,
        }


def loading(inference: Inference) -> str:
    """Say what the first outcome waits for: workers that load a model cannot say so.

    Args:
        inference: with the device that the model runs on.
    """
    engine = inference.options.engine
    if engine == "auto" and inference.options.device == "cpu":
        engine = "openvino" if find_spec("openvino") else "eager"
    form = EXPORTED.get(engine)
    if form is None or inference.exports is None:
        return "loading model"
    name, suffix = form
    exports = Path(inference.exports)
    if all(any(exports.glob(f"{digest[:16]}-*{suffix}")) for digest in inference.networks()):
        return "loading model"
    return f"loading model and exporting it to {name}"


def find_model(folder: str | None, task: str, inputs: str) -> tuple[str, ModelCard]:
    """Find the model that is named, or the one that comes with the package.

    Args:
        folder: folder of the model; None for the package's own.
        task: ``segmenter`` or ``detector``.
        inputs: what it is to look at, for the error message.

    Returns:
        Its folder and its card.

    Raises:
        InputError: it is no model folder, or a model for another task.
    """
    from odm.models.card import read_model_card
    from odm.models.shipped import model_folder, shipped_model

    folder = str(model_folder(shipped_model(task) if folder is None else folder))
    card = read_model_card(folder)
    found = card.architecture["kind"]
    if found != task:
        raise InputError(f"{folder} is a {found}: {inputs} need a {task}")
    return folder, card


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
