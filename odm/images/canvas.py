"""What model images of both kinds share: grey levels on a canvas, and their settings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.core.errors import InputError
from odm.core.stored import StoredSettings

LEVELS = 254
"""Steps between the limits: grey levels 1 to 255; 0 is for what is invalid."""
MULTIPLE = 32
"""Divisor of a canvas's sides: encoders halve an image five times."""

Image = NDArray[np.uint8]
"""(H, W), or (H, W, C) where an image has several channels; 0 where it is invalid."""


def valid_pixels(image: Image) -> NDArray[np.bool_]:
    """Return where an image holds a measurement, (H, W): all of its channels are above 0."""
    if image.ndim == 2:
        return image > 0
    valid = image[..., 0] > 0
    for channel in range(1, image.shape[2]):  # ten times as fast as over the short axis at once
        valid &= image[..., channel] > 0
    return valid


class CanvasSettings(StoredSettings):
    """Base of the settings of a model image: dataclasses with the fields ``minimum`` and
    ``maximum`` (physical values that become grey level 1 and 255), ``height`` and ``width``."""

    __slots__ = ()

    @property
    def channels(self) -> int:
        """Number of channels of an image; with 1 it is (H, W), with more (H, W, C)."""
        return 1

    def check_sides(self: Any) -> None:
        """Refuse a canvas whose sides are no multiples of 32.

        Raises:
            InputError: a side cannot be.
        """
        for name, size in (("height", self.height), ("width", self.width)):
            if isinstance(size, bool) or int(size) != size or size < MULTIPLE or size % MULTIPLE:
                raise InputError(f"image {name} {size}: give a multiple of {MULTIPLE}")

    def to_values(self: Any, image: Image) -> NDArray[np.float32]:
        """Return the physical values of grey levels, NaN where the image is 0; levels 1 and 255
        mean "or beyond"."""
        step = (self.maximum - self.minimum) / LEVELS
        values = self.minimum + (image.astype(np.float32) - 1) * np.float32(step)
        values[image == 0] = np.nan
        return np.asarray(values)


def clipped_share(image: Image) -> tuple[float, float]:
    """Return the shares of the valid pixels at or below the lower, and at or above the upper
    limit; of an image with several channels in the first."""
    if image.ndim == 3:
        image = image[..., 0]
    valid = max(1, int(np.count_nonzero(image)))
    return float((image == 1).sum()) / valid, float((image == 255).sum()) / valid
