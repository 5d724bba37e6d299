"""Maps of probability from images: one class for every model, device and engine."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from odm.core.errors import InputError, OdmError
from odm.models.engines import (
    EngineError,
    ExportCache,
    Run,
    Size,
    build_engine,
    choose_engine,
)
from odm.models.networks.base import (
    ImageModel,
    Segmenter,
    channels_first,
    find_device,
    foreground,
    tempered,
    to_input,
)

LOG = logging.getLogger(__name__)
LEVELS = 255
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Images = NDArray[np.uint8]
Item = TypeVar("Item")


class Predictor:
    """Runs a segmentation method over images in batches of one fixed size.

    Images are what `odm.images.spectrogram.spectrogram_image` makes in any mode, 0 for invalid;
    what a learned model sees of them is `odm.models.networks.base.to_input`, as in training. The
    answer is rounded to whole 1/255 before anything is done with it, so that a threshold means the
    same on every device and engine.

    Args:
        model: learned or not, as `odm.models.create_segmenter` or `load_model` give it. A learned
            one is moved to the device and set to evaluation mode.
        batch: images a call to the model; a batch that is not full is padded with empty images.
        engine: see `odm.models.engines`; of no meaning for a method without learning. "auto"
            goes on to the next one, with a warning, where a model cannot be exported.
        device: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", ...
        precision: "float32"; "bfloat16" is faster on a GPU, and off by up to about 1e-2.
        flip: average with the answer to the image reversed in time. Frequency is never reversed:
            it has a meaning.
        temperature: logits are divided by it (see `odm.scoring.calibration`), with ``flip`` those
            of the average.
        exports: local folder that keeps exported models, for the next process; needs ``digest``.
        digest: the model's, as its folder says.

    Raises:
        InputError: a setting that cannot be meant, or an engine or device that is not there.
    """

    def __init__(
        self,
        model: Segmenter | ImageModel,
        *,
        batch: int = 2,
        engine: str = "auto",
        device: str = "auto",
        precision: Literal["float32", "bfloat16"] = "float32",
        flip: bool = False,
        temperature: float = 1.0,
        exports: str | Path | None = None,
        digest: str | None = None,
    ) -> None:
        if batch < 1:
            raise InputError(f"batch {batch}: give at least 1 image")
        if not temperature > 0:
            raise InputError(f"temperature {temperature}: give a number above 0")
        if precision not in PRECISIONS:
            raise InputError(f"precision {precision!r}: give float32 or bfloat16")
        self.model = model
        self.batch = batch
        self.flip = flip
        self.temperature = temperature
        self.exports = ExportCache(Path(exports), digest) if exports and digest else None
        self.automatic = engine == "auto"
        self.device = find_device(device)
        self.precision = PRECISIONS[precision]
        if isinstance(model, ImageModel):
            if engine == "auto" and self.precision != torch.float32 and self.device.type == "cpu":
                engine = "eager"  # the engines for CPUs compute in float32
            self.engine = choose_engine(engine, self.device)
            if self.engine in ("onnx", "openvino") and self.precision != torch.float32:
                raise InputError(f"engine {self.engine!r} computes in float32 only")
            model.eval().to(self.device)
        else:
            self.engine = "none"
        self._runs: dict[Size, Run] = {}

    def __call__(self, images: Images) -> Images:
        """Probability of the foreground (any class but 0).

        Args:
            images: (B, H, W) or (B, H, W, C) uint8, any B; H and W multiples of `model.multiple`.

        Returns:
            (B, H, W) uint8, 255 for 1.

        Raises:
            InputError: images of another type, or of a size that does not fit the model.
        """
        if images.dtype != np.uint8 or images.ndim not in (3, 4):
            raise InputError(
                f"images are uint8 (B, H, W) or (B, H, W, C), not {images.dtype} of {images.ndim} "
                "dimensions"
            )
        answers = np.empty(images.shape[:3], dtype=np.uint8)
        for first in range(0, len(images), self.batch):
            part = images[first : first + self.batch]
            answers[first : first + len(part)] = self._predict(part)
        return answers

    def stream(self, pairs: Iterable[tuple[Item, Images]]) -> Iterator[tuple[Item, Images]]:
        """Predict an endless supply of (anything, image) in full batches, in its order.

        Images may differ in size: a batch ends where the size changes.
        """
        items: list[Item] = []
        images: list[Images] = []
        for item, image in pairs:
            if images and (len(images) == self.batch or image.shape != images[0].shape):
                yield from zip(items, self(np.stack(images)), strict=True)
                items, images = [], []
            items.append(item)
            images.append(image)
        if images:
            yield from zip(items, self(np.stack(images)), strict=True)

    def _predict(self, images: Images) -> Images:
        """Answers to at most one batch."""
        full = np.zeros((self.batch, *images.shape[1:]), dtype=np.uint8)
        full[: len(images)] = images
        # A temperature is fitted to what is scored, so to the average, and divides its logits.
        probability = self._probability(full, 1.0 if self.flip else self.temperature)
        if self.flip:
            mirrored = self._probability(np.ascontiguousarray(full[:, :, ::-1]), 1.0)
            probability = tempered((probability + mirrored.flip(-1)) / 2, self.temperature)
        if not bool(torch.isfinite(probability).all()):
            # Rounded to uint8 it would be 0: a broken model would see a clear sky everywhere.
            raise OdmError(
                f"the model {self.model.architecture} gives values that are not numbers: its "
                "weights are damaged, or have overflowed"
            )
        levels = (probability[: len(images)] * LEVELS).round_().to(torch.uint8)
        return levels.cpu().numpy()

    def _probability(self, images: Images, temperature: float) -> Tensor:
        """(B, H, W) float32 on the device."""
        if not isinstance(self.model, ImageModel):
            answer = self.model.predict(channels_first(images))
            probability = torch.from_numpy(answer[:, 1:].sum(axis=1)).clamp(0, 1)
            return tempered(probability, temperature)
        return foreground(self.output(images), temperature)

    def output(self, images: Images) -> Tensor:
        """What a learned model gives for one batch, on the device.

        Args:
            images: (`batch`, H, W) or (`batch`, H, W, C) uint8.
        """
        assert isinstance(self.model, ImageModel)
        size = (images.shape[1], images.shape[2])
        x = to_input(torch.from_numpy(channels_first(images)).to(self.device), self.model)
        if size not in self._runs:
            self.model.check(x)
            self._runs[size] = self._build(self.model, size)
        return self._runs[size](x)

    def _build(self, model: ImageModel, size: Size) -> Run:
        while True:
            try:
                return build_engine(
                    self.engine, model, self.batch, size, self.precision, self.exports
                )
            except EngineError as error:
                if not self.automatic or self.engine == "eager":
                    raise
                LOG.warning("%s; taking engine eager instead", error)
                self.engine = "eager"
