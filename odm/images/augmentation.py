"""Augmentation of a spectrogram image, its mask and its validity, which stay aligned.

Four policies: ``none``; ``paper``, Table 1 of the ODM_Unet paper with the names that
albumentations 2.0.8 gives its methods; ``physical``, which keeps the meaning of frequency and time:
no flip, no rotation, no change of frequency; ``randomised``, for relative images alone, which shows
them as another receiver under another sky would (`odm.images.randomised`).

What a call does depends on its seed alone: not on earlier calls, nor on the process or thread.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from odm.core.checks import check_choice
from odm.core.errors import InputError
from odm.images.added_nuclei import Donor
from odm.images.canvas import Image, valid_pixels
from odm.images.primitives import PRIMITIVES
from odm.images.randomised import randomise
from odm.images.relative import CHANNELS

if TYPE_CHECKING:
    from albumentations import Compose

POLICIES = ("none", "paper", "physical", "randomised")
OF_ONE_CHANNEL = ("paper", "physical")
"""Policies that vary grey images, which have one channel."""

Valid = NDArray[np.bool_]

_ONE_AT_A_TIME = threading.Lock()
"""A `Compose` holds the random state of its call."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A way to vary images; safe to send to another process.

    Attributes:
        name: one of `POLICIES`.
        strength: 1 is the policy as published. Scales the probabilities of ``paper`` and
            ``randomised`` (up to 1) and the amplitudes of ``physical``.
        size: (H, W) of the result; None keeps the image's.
        rgb: give the image as (H, W, 3); ``paper`` works in colour, and makes grey of it otherwise.
        without: primitives that ``randomised`` does not draw, see `odm.images.primitives`.
    """

    name: Literal["none", "paper", "physical", "randomised"]
    strength: float = 1.0
    size: tuple[int, int] | None = None
    rgb: bool = False
    without: tuple[str, ...] = ()

    def __call__(
        self,
        image: Image,
        mask: Image,
        seed: int,
        donor: Donor | Callable[[], Donor | None] | None = None,
    ) -> tuple[Image, Image, Valid]:
        """Vary one image.

        Args:
            image: (H, W) uint8, 0 where invalid; ``none`` also takes (H, W, C).
            mask: (H, W) uint8, class indices.
            seed: a whole number from 0; the same one gives the same result.
            donor: another image with its mask, of which ``randomised`` takes nuclei, or what loads
                one when it is needed.

        Returns:
            New arrays: image (H, W) or (H, W, C), 1..255 where valid and 0 elsewhere; mask, moved
            as the image was and not changed by validity (a loss ignores what is invalid); validity
            (H, W). The arguments are left as they are.

        Raises:
            InputError: image and mask differ in shape, or the policy cannot vary such images.
        """
        if image.ndim not in (2, 3) or image.shape[:2] != mask.shape:
            raise InputError(
                f"augmentation needs an image and a mask of one shape (H, W), not {image.shape} "
                f"and {mask.shape}"
            )
        check_channels(self.name, 1 if image.ndim == 2 else image.shape[2])
        if self.name == "randomised":
            rng = np.random.default_rng(seed)
            image, mask = randomise(
                image, mask, rng, donor=donor, strength=self.strength, without=self.without
            )
            return image, mask, valid_pixels(image)
        if self.name == "paper":
            return self._paper(image, mask, seed)
        if self.size is not None and self.size != mask.shape:
            image, mask = _resized(image, mask, self.size)
        else:
            image, mask = image.copy(), mask.copy()
        if self.name == "physical":
            image, mask = _physical(image, mask, self.strength, np.random.default_rng(seed))
        valid = valid_pixels(image)
        if self.rgb and image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=2)
        return image, mask, valid

    def _paper(self, image: Image, mask: Image, seed: int) -> tuple[Image, Image, Valid]:
        import cv2

        valid = image > 0
        # Invalid pixels are lent the median, so that a padded canvas does not bias the equalised
        # histograms or bleed into its neighbours; they are 0 again at the end.
        filled = np.where(valid, image, _median(image))
        compose = _table_1(*(self.size or image.shape), self.strength)
        with _ONE_AT_A_TIME:
            # One generator for all methods. Compose.set_random_seed would give each its own of the
            # same seed: all of one probability would then be applied together or not at all.
            compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
            varied = compose(
                image=np.repeat(filled[..., None], 3, axis=2),
                masks=[mask, valid.astype(np.uint8)],
            )
        moved_mask, moved_valid = varied["masks"]
        valid = moved_valid > 0
        colour = varied["image"]
        if self.rgb:
            return np.where(valid[..., None], np.maximum(colour, 1), 0), moved_mask, valid
        grey = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
        return np.where(valid, np.maximum(grey, 1), 0).astype(np.uint8), moved_mask, valid


def make_policy(
    name: str,
    strength: float = 1.0,
    size: tuple[int, int] | None = None,
    rgb: bool = False,
    without: Sequence[str] = (),
) -> Policy:
    """A policy by name; the arguments are those of `Policy`.

    Raises:
        InputError: an unknown name or primitive, a strength below 0, or a size without pixels.
    """
    if name not in POLICIES:
        raise InputError(f"augmentation {name!r}: give {', '.join(POLICIES)}")
    if not (np.isfinite(strength) and strength >= 0):
        raise InputError(f"augmentation strength {strength}: give a number from 0")
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise InputError(f"augmentation size {size}: give a height and a width")
    if size is not None and name == "randomised":
        raise InputError("augmentation 'randomised' keeps the size of an image: give no size")
    for primitive in without:
        check_choice("primitive", primitive, PRIMITIVES)
    if name == "paper":
        _albumentations()  # slow to import: now rather than in the first batch
    return Policy(name, float(strength), size, rgb, tuple(without))  # type: ignore[arg-type]


def check_channels(name: str, channels: int) -> None:
    """Check that a policy can vary images of so many channels.

    Raises:
        InputError: it cannot.
    """
    if channels > 1 and name in OF_ONE_CHANNEL:
        others = " or ".join(policy for policy in POLICIES if policy not in OF_ONE_CHANNEL)
        raise InputError(
            f"augmentation {name!r} varies images of one channel, and these have {channels}: give "
            f"{others}"
        )
    if channels != CHANNELS and name == "randomised":
        raise InputError(
            f"augmentation 'randomised' varies relative images, of {CHANNELS} channels: create the "
            "data set with --mode relative, or choose physical or paper"
        )


def _albumentations() -> Any:
    import os

    # Asked for at import: without it every worker looks on the network for a newer version.
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations

    return albumentations


@lru_cache(maxsize=8)
def _table_1(height: int, width: int, strength: float) -> Compose:
    """Table 1 of the paper: its eleven methods, in its order, with its probabilities.

    Where albumentations has renamed a method or changed a default since, the parameters are those
    of the default that the name had then (`ShiftScaleRotate`, `GaussNoise`).
    """
    import cv2

    lib = _albumentations()

    def p(probability: float) -> float:
        return min(1.0, probability * strength)

    return lib.Compose(
        [
            lib.Resize(height, width, p=1),
            lib.HorizontalFlip(p=p(0.4)),
            lib.Affine(  # ShiftScaleRotate
                scale=(0.9, 1.1),
                translate_percent=(-0.0625, 0.0625),
                rotate=(-45, 45),
                border_mode=cv2.BORDER_REFLECT_101,
                p=p(0.4),
            ),
            lib.GaussNoise(std_range=(0.0124, 0.0277), p=p(0.2)),
            lib.CLAHE(p=p(0.5)),
            lib.RandomBrightnessContrast(p=p(0.7)),
            lib.RandomGamma(p=p(0.7)),
            lib.Sharpen(p=p(0.7)),
            lib.Blur(p=p(0.7)),
            lib.MotionBlur(p=p(0.7)),
            lib.HueSaturationValue(p=p(0.7)),
        ]
    )


# Amplitudes of the physical policy at strength 1, in grey levels: logarithms of the PSD. With the
# usual limits, 4 decades apart, 16 levels are 2.5 dB. Chosen by judgement, not measured.
GAIN_LEVELS = 20.0
CONTRAST = 0.15
TILT_LEVELS = 12.0
SPECKLE_LEVELS = 6.0
SHIFT_COLUMNS = 16
GAPS = 1.5
GAP_COLUMNS = 8


def _physical(
    image: Image, mask: Image, strength: float, rng: np.random.Generator
) -> tuple[Image, Image]:
    """Gain, contrast, a smooth background and speckle; a shift in time, lost columns."""
    limit = min(round(SHIFT_COLUMNS * strength), image.shape[1] - 1)
    image, mask = _shifted(image, mask, int(rng.integers(-limit, limit + 1)))
    height, width = image.shape
    valid = image > 0
    levels = image.astype(np.float32)
    middle = _median(image)
    contrast = 1 + CONTRAST * min(strength, 5) * rng.uniform(-1, 1)
    gain = GAIN_LEVELS * strength * rng.uniform(-1, 1)
    levels = (levels - middle) * np.float32(contrast) + np.float32(middle + gain)
    # A plane and a saddle over frequency and time: nothing with the size of a nucleus.
    along_f, along_t, both = TILT_LEVELS * strength * rng.uniform(-1, 1, 3).astype(np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    levels += along_f * y + along_t * x + both * y * x
    deviation = np.float32(SPECKLE_LEVELS * strength * rng.uniform())
    levels += deviation * rng.standard_normal(image.shape, dtype=np.float32)
    varied = np.clip(np.rint(levels), 1, 255).astype(np.uint8)
    varied[~valid] = 0
    for _ in range(rng.poisson(GAPS * strength)):
        start, columns = rng.integers(width), rng.integers(1, GAP_COLUMNS + 1)
        varied[:, start : start + columns] = 0
    return varied, mask


def _shifted(image: Image, mask: Image, columns: int) -> tuple[Image, Image]:
    """Moved to the right (negative: left) by whole columns; what comes in is invalid."""
    moved = np.roll(np.stack([image, mask]), columns, axis=2)
    moved[:, :, slice(columns) if columns >= 0 else slice(columns, None)] = 0
    return moved[0], moved[1]


def _resized(image: Image, mask: Image, size: tuple[int, int]) -> tuple[Image, Image]:
    import cv2

    from odm.images.spectrogram import resize

    mask = np.asarray(cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT))
    if image.ndim == 3:
        channels = [resize(image[..., channel], *size) for channel in range(image.shape[2])]
        return np.stack(channels, axis=-1), mask.astype(np.uint8)
    return resize(image, *size), mask.astype(np.uint8)


def _median(image: Image) -> np.uint8:
    """Median grey level of the valid pixels, from a histogram; 128 where there is none."""
    counts = np.bincount(image.ravel(), minlength=256)
    counts[0] = 0
    if not counts.any():
        return np.uint8(128)
    return np.uint8(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
