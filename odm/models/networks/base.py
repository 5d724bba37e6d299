"""What every learned model here is, and segmenters: one score per class and pixel."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from odm.core.errors import InputError

# Mean and standard deviation of ImageNet's grey values: what pretrained encoders expect, and about
# right for a spectrogram, whose limits come from percentiles.
GREY_MEAN = 0.449
GREY_STD = 0.226


class Segmenter(Protocol):
    """A segmentation method, learned or not: what reprocessing and evaluation need of it."""

    architecture: str
    """Name that `create_segmenter` knows."""
    options: dict[str, Any]
    """All options, resolved, as `create_segmenter` takes them."""
    classes: int
    """Number of classes; 0 is the background."""
    multiple: int
    """Height and width of an image must be multiples of this."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities (B, classes, H, W), summing to 1, of images (B, 1, H, W)."""
        ...


class ImageModel(nn.Module):
    """Base of the learned models: images in, something in one tensor out.

    A subclass defines `logits` and `answer`.

    Args:
        architecture: name by which it is created.
        options: all options, resolved.
        in_channels: channels of the input.
        classes: number of classes.
        multiple: height and width must be multiples of this.
        single: whether it can train on a batch of 1.
        minimum: smallest height and width.
    """

    kind = "segmenter"
    """Kind of model, as its folder says."""

    def __init__(
        self,
        architecture: str,
        options: Mapping[str, Any],
        *,
        in_channels: int,
        classes: int,
        multiple: int = 32,
        single: bool = True,
        minimum: int = 32,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.options = dict(options)
        self.in_channels = in_channels
        self.classes = classes
        self.multiple = multiple
        self.single = single
        self.minimum = minimum

    def logits(self, x: Tensor) -> Tensor:
        """Map `x` (B, in_channels, H, W) to the output."""
        raise AssertionError(f"{type(self).__name__} defines no logits")

    def answer(self, output: Tensor) -> Tensor:
        """What an output means, such that a difference of 1e-3 matters to nobody."""
        raise AssertionError(f"{type(self).__name__} defines no answer")

    def forward(self, x: Tensor) -> Tensor:
        """The output for images.

        Args:
            x: (B, in_channels, H, W), float, scaled as by `to_input`; H and W multiples of
                `self.multiple`.

        Returns:
            Of a segmenter logits (B, classes, H, W).

        Raises:
            InputError: for a shape that does not fit the architecture.
        """
        if not torch.compiler.is_compiling():
            self.check(x)
        return self.logits(x)

    def check(self, x: Tensor) -> None:
        """Raise InputError, one sentence, if `x` does not fit the architecture."""
        if x.ndim != 4:
            raise InputError(
                f"{self.architecture} takes images (B, C, H, W), not a tensor of {x.ndim} "
                "dimensions."
            )
        batch, channels, height, width = x.shape
        if channels != self.in_channels:
            raise InputError(
                f"{self.architecture} was built for {self.in_channels} input channels, not "
                f"{channels}."
            )
        fit_height, fit_width = (
            -(-max(side, self.minimum) // self.multiple) * self.multiple for side in (height, width)
        )
        if (height, width) != (fit_height, fit_width):
            raise InputError(
                f"{self.architecture} needs a height and width of at least {self.minimum} and "
                f"divisible by {self.multiple}, not {height} x {width}: pad the image to "
                f"{fit_height} x {fit_width}."
            )
        if self.training and batch == 1 and not self.single:
            raise InputError(
                f"{self.architecture} normalises over the batch and cannot train on a batch of 1: "
                "use larger batches (drop_last=True)."
            )


class SegmentationModel(ImageModel):
    """Base of the learned segmenters. A subclass defines `logits`, (B, classes, H, W)."""

    def answer(self, output: Tensor) -> Tensor:
        """`foreground` of logits."""
        return foreground(output)

    @torch.inference_mode()
    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of images, in evaluation mode, where the model's weights are.

        Args:
            images: (B, 1, H, W) or (B, in_channels, H, W).

        Returns:
            (B, classes, H, W), summing to 1 over the classes.
        """
        training = self.training
        device = next(self.parameters()).device
        try:
            self.eval()
            x = to_input(torch.from_numpy(np.ascontiguousarray(images)).to(device), self)
            return torch.softmax(self(x).float(), dim=1).cpu().numpy()
        finally:
            self.train(training)


def foreground(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Probability (B, H, W) of any class but 0, from logits (B, classes, H, W), float32."""
    scaled = logits.float() / temperature
    if scaled.shape[1] == 2:
        return torch.sigmoid(scaled[:, 1] - scaled[:, 0])
    return torch.softmax(scaled, dim=1)[:, 1:].sum(dim=1)


def tempered(scores: Tensor, temperature: float) -> Tensor:
    """Return scores or probabilities at another temperature: sigmoid(logit / temperature)."""
    if temperature == 1:
        return scores
    # float64: in float32 a score next to 1 has no logit.
    logit = torch.logit(scores.double(), eps=1e-9)
    return torch.sigmoid(logit / temperature).float()


def find_device(device: str) -> torch.device:
    """A device by name; ``auto`` is a GPU if there is one.

    Raises:
        InputError: no such device, or none that can be used here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError:
        raise InputError(f"device {device!r}: give auto, cpu, cuda or cuda:N") from None
    if place.type == "cuda":
        count = torch.cuda.device_count()
        if (place.index or 0) >= count:
            raise InputError(f"device {device!r}: there are {count} GPUs here")
    elif place.type != "cpu":
        try:
            torch.zeros(1, device=place).item()  # each kind has another way to say that it is not
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:150]
            raise InputError(
                f"device {device!r} cannot be used here ({reason}): give auto, cpu, cuda or cuda:N"
            ) from None
    return place


def channels_first(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (B, H, W) or (B, H, W, C) as (B, C, H, W)."""
    if images.ndim == 3:
        return images[:, None]
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def to_input(images: Tensor, model: ImageModel) -> Tensor:
    """Scale images to what a model takes; in training and inference alike.

    Args:
        images: uint8 (B, 1, H, W) or (B, in_channels, H, W).
        model: the model; says how many channels it takes, and in which dtype.

    Returns:
        (B, in_channels, H, W): (value / 255 - 0.449) / 0.226.

    Raises:
        InputError: for another dtype or number of channels.
    """
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise InputError(
            f"Images must be uint8 (B, C, H, W), not {str(images.dtype).removeprefix('torch.')} "
            f"of shape {tuple(images.shape)}."
        )
    dtype = next(model.parameters()).dtype
    x = images.to(dtype).mul_(1 / (255 * GREY_STD)).sub_(GREY_MEAN / GREY_STD)
    if x.shape[1] == 1 and model.in_channels > 1:
        x = x.expand(-1, model.in_channels, -1, -1).contiguous()
    return x
