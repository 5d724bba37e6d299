"""Settings of a training of boxes; what every task has is in `odm.training.settings`."""

from __future__ import annotations

from pydantic import Field, model_validator

from odm.core.settings import Settings
from odm.images.box_augmentation import BoxPolicy
from odm.training.settings import (
    BatchSettings,
    ModelSettings,
    OptimiserSettings,
    ScheduleSettings,
    TaskSettings,
)


class BoxDataSettings(BatchSettings):
    """What is drawn from the data set, and how it is varied.

    Flip, mosaic, mixup and colour are what detectors of photographs learn with; they break the
    meaning of the axes and of the grey levels. Each is a probability, 0 for never.

    Attributes:
        flip: of reversing the frequencies.
        mosaic: of showing parts of four images at once.
        mixup: of showing a second image through the first.
        colour: of another contrast and brightness.
        zoom: of showing a part, up to 1.5 times larger, or the whole somewhat smaller.
        plain_epochs: last epochs without flip, mosaic, mixup, colour and zoom.
    """

    flip: float = Field(default=0.0, ge=0, le=1)
    mosaic: float = Field(default=0.0, ge=0, le=1)
    mixup: float = Field(default=0.0, ge=0, le=1)
    colour: float = Field(default=0.0, ge=0, le=1)
    zoom: float = Field(default=0.0, ge=0, le=1)
    plain_epochs: int = Field(default=0, ge=0)

    @property
    def policy(self) -> BoxPolicy:
        """The probabilities."""
        return BoxPolicy(self.flip, self.mosaic, self.mixup, self.colour, self.zoom)


class BoxLossSettings(Settings):
    """YOLOX's loss: boxes (5 times 1 − IoU²), objectness and classes (binary cross entropies).

    Attributes:
        l1_epochs: last epochs in which the distance of boxes is added.
    """

    l1_epochs: int = Field(default=0, ge=0)


class DetectorSettings(TaskSettings):
    """Everything that decides a training of a detector, but for the data set."""

    model: ModelSettings = ModelSettings(architecture="yolox_nano")
    data: BoxDataSettings = BoxDataSettings()
    loss: BoxLossSettings = BoxLossSettings()
    optimiser: OptimiserSettings = OptimiserSettings(
        name="sgd", learning_rate=1e-2, betas=(0.937, 0.999), weight_decay=5e-4, clip_norm=None
    )
    schedule: ScheduleSettings = ScheduleSettings(minimum=1e-4, warmup_epochs=3)

    @model_validator(mode="after")
    def _lengths(self) -> DetectorSettings:
        for name, last in (
            ("data.plain_epochs", self.data.plain_epochs),
            ("loss.l1_epochs", self.loss.l1_epochs),
        ):
            if last > self.schedule.epochs:
                raise ValueError(
                    f"{name} = {last} is more than schedule.epochs = {self.schedule.epochs}: "
                    "set both"
                )
        return self
