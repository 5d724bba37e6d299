"""Settings of a training: validated, stored with every run, any of them set by ``key=value``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from odm.core.settings import Settings, overridden, read_config
from odm.images.box_augmentation import BoxPolicy

MULTIPLE = 32
"""Encoders halve an image five times."""


class ArchitectureSettings(Settings):
    """What is trained: ``architecture``, a name of `odm.models`, and its ``options``."""

    architecture: str = "odm_unet"
    options: dict[str, Any] = Field(default_factory=dict)


class BatchSettings(Settings):
    """What is drawn from the data set.

    Attributes:
        batch_size: samples an optimiser step, over all ranks and accumulated parts together.
        validation_batch_size: samples a rank looks at together in validation.
        positive_share: share of the draws that have something to find; None takes each sample once
            an epoch. Where there are too few of a kind they are drawn several times.
    """

    batch_size: int = Field(default=16, ge=1)
    validation_batch_size: int = Field(default=4, ge=1)
    positive_share: float | None = Field(default=None, ge=0, le=1)


class MaskDataSettings(BatchSettings):
    """What is drawn from the data set, and how it is varied.

    Attributes:
        augmentation: policy of `odm.images.augmentation`.
        strength: strength of the policy; 1 as published.
        without: primitives that ``randomised`` does not draw.
        crop: height and width of a random part of each image; None trains on whole images.
            Validation always sees whole images.
        crop_on_nucleus: probability that the crop of a half-orbit with nuclei shows one of them.
    """

    augmentation: Literal["none", "paper", "physical", "randomised"] = "physical"
    strength: float = Field(default=1.0, ge=0)
    without: tuple[str, ...] = ()
    crop: tuple[int, int] | None = None
    crop_on_nucleus: float = Field(default=0.5, ge=0, le=1)

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what older runs did not know, so that they keep their names."""
        values: dict[str, Any] = plain(self)
        if not self.without:
            values.pop("without", None)
        return values

    @model_validator(mode="after")
    def _sizes(self) -> MaskDataSettings:
        for side in self.crop or ():
            if side < MULTIPLE or side % MULTIPLE:
                raise ValueError(f"crop {side}: give multiples of {MULTIPLE}")
        return self


class LossSettings(Settings):
    """CE − log(Dice): see `odm.training.losses.MaskLoss`.

    Attributes:
        class_weights: factors of the cross entropy, background first; None for equal ones.
        dice: factor of −log(Dice).
    """

    class_weights: tuple[float, ...] | None = None
    dice: float = Field(default=1.0, ge=0)


class OptimiserSettings(Settings):
    """How weights move.

    Attributes:
        name: ``adam``, ``adamw``, or ``sgd`` with Nesterov momentum.
        learning_rate: the highest of the schedule.
        betas: decay rates of Adam's means; the first is the momentum of SGD.
        weight_decay: decay of kernels and matrices only, not of biases and scales.
        clip_norm: longest gradient, over all parameters; None for any.
        accumulate: parts of a batch that are computed one after the other, to save memory. The
            Dice of a part is that of its own pixels, so this is near to, but not the same as, one
            large batch.
    """

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=1e-4, ge=0)
    clip_norm: float | None = Field(default=1.0, gt=0)
    accumulate: int = Field(default=1, ge=1)


class PhaseSettings(Settings):
    """A part of the training.

    Attributes:
        epochs: its length; only the last phase may leave it out, and takes the rest.
        freeze: modules that do not learn, such as ``encoder``; their running statistics rest too.
        rate: factor on the learning rate.
    """

    epochs: int | None = Field(default=None, ge=1)
    freeze: tuple[str, ...] = ()
    rate: float = Field(default=1.0, gt=0)


class ScheduleSettings(Settings):
    """How long, and what changes on the way; lengths in epochs, changes at every step.

    Attributes:
        epochs: at most.
        patience: epochs without a better validation score after which it ends; None for never.
        restart_epochs: T_0, length of the first cosine cycle; None for one cycle in all.
        restart_multiplier: T_mult, each cycle is this much longer than the one before.
        minimum: learning rate at the end of a cycle.
        warmup_epochs: the rate grows from 0 over the first ones.
        temperature_start: temperature of ODConv, falling to 1; None for 30, or 1 when fine-tuning.
        temperature_epochs: epochs over which it falls.
        phases: one after the other; none is one phase in which all learns.
        freeze_norm: keep batch normalisation as it is, statistics and weights.
        validation_epochs: epochs from one validation to the next; the last epoch has one too.
    """

    epochs: int = Field(default=100, ge=1)
    patience: int | None = Field(default=None, ge=1)
    restart_epochs: int | None = Field(default=None, ge=1)
    restart_multiplier: int = Field(default=1, ge=1)
    minimum: float = Field(default=1e-6, ge=0)
    warmup_epochs: float = Field(default=0.0, ge=0)
    temperature_start: float | None = Field(default=None, ge=1)
    temperature_epochs: int = Field(default=10, ge=1)
    phases: tuple[PhaseSettings, ...] = ()
    freeze_norm: bool = False
    validation_epochs: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _lengths(self) -> ScheduleSettings:
        if self.patience is not None and self.patience < self.validation_epochs:
            raise ValueError(
                f"a patience of {self.patience} ends before the first validation, after "
                f"{self.validation_epochs} epochs (validation_epochs)"
            )
        *first, last = self.phases or (PhaseSettings(),)
        if any(phase.epochs is None for phase in first):
            raise ValueError("every phase but the last needs its number of epochs")
        given = sum(phase.epochs or 0 for phase in (*first, last))
        if last.epochs is not None and given != self.epochs:
            raise ValueError(
                f"the phases have {given} epochs of {self.epochs}; a last one without epochs takes "
                "what is left"
            )
        if given >= self.epochs and last.epochs is None:
            raise ValueError(f"the phases leave no epoch of {self.epochs} to the last one")
        return self

    def validates(self, epoch: int) -> bool:
        """Whether an epoch, counted from 1, is followed by a validation."""
        return epoch % self.validation_epochs == 0 or epoch == self.epochs

    def phase_of(self, epoch: int) -> PhaseSettings:
        """The phase of an epoch, counted from 0."""
        for phase in self.phases:
            if phase.epochs is None or epoch < phase.epochs:
                return phase
            epoch -= phase.epochs
        return PhaseSettings()


class ComputeSettings(Settings):
    """How it is computed; what changes the numbers.

    Attributes:
        precision: number format of the network; loss, weights and optimiser are always float32.
        compile: use `torch.compile`.
        channels_last: memory layout; faster convolutions on most machines.
        ema: decay a step of a moving average of the weights, which is then what is validated and
            kept; None for none.
    """

    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    channels_last: bool = True
    ema: float | None = Field(default=None, gt=0, lt=1)


class RuntimeSettings(Settings):
    """What does not change the result, and so is no part of a run's name.

    Attributes:
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ...
        loader_threads: threads that read and vary samples; 0 does it between the steps.
        prefetch: steps that are prepared ahead.
        cache_gb: images kept in memory, in 1e9 bytes, by every process.
        draw_workers: processes that draw half-orbits ahead, for a data set that is drawn; 0 draws
            in the threads that need one.
        drawn_gb: size of the cache of drawn half-orbits on disk, in 1e9 bytes, which all trainings
            share.
        checkpoint_steps: a checkpoint after so many steps of an epoch, besides its end.
        log_steps: steps to a line of the log.
        tensorboard: write its files, if it is installed.
    """

    device: str = "auto"
    loader_threads: int = Field(default=2, ge=0)
    prefetch: int = Field(default=2, ge=1)
    cache_gb: float = Field(default=4.0, ge=0)
    draw_workers: int = Field(default=1, ge=0)
    drawn_gb: float = Field(default=20.0, gt=0)
    checkpoint_steps: int | None = Field(default=None, ge=1)
    log_steps: int = Field(default=10, ge=1)
    tensorboard: bool = True


class TrainingSettings(Settings):
    """What every task has: everything that decides a training, but for the data set."""

    seed: int = Field(default=0, ge=0)
    model: ArchitectureSettings = ArchitectureSettings()
    data: BatchSettings = BatchSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    compute: ComputeSettings = ComputeSettings()
    runtime: RuntimeSettings = RuntimeSettings()

    @model_validator(mode="after")
    def _parts(self) -> Self:
        if self.data.batch_size % self.optimiser.accumulate:
            raise ValueError(
                f"a batch_size of {self.data.batch_size} does not divide into "
                f"{self.optimiser.accumulate} parts (optimiser.accumulate)"
            )
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of what changes the result: all but ``runtime``."""
        content = self.model_dump(mode="json", exclude={"runtime"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class SegmenterSettings(TrainingSettings):
    """Settings of a training of masks."""

    data: MaskDataSettings = MaskDataSettings()
    loss: LossSettings = LossSettings()


class BoxDataSettings(BatchSettings):
    """What is drawn from a data set of boxes, and how it is varied.

    Flip, mosaic, mixup and colour are what detectors of photographs learn with; they break the
    meaning of the axes and of the grey levels. Each is a probability, 0 for never.

    Attributes:
        flip: probability of reversing the frequencies.
        mosaic: probability of showing parts of four images at once.
        mixup: probability of showing a second image through the first.
        colour: probability of another contrast and brightness.
        zoom: probability of showing a part, up to 1.5 times larger, or the whole somewhat smaller.
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


class DetectorSettings(TrainingSettings):
    """Settings of a training of boxes."""

    model: ArchitectureSettings = ArchitectureSettings(architecture="yolox_nano")
    data: BoxDataSettings = BoxDataSettings()
    loss: BoxLossSettings = BoxLossSettings()
    optimiser: OptimiserSettings = OptimiserSettings(
        name="sgd", learning_rate=1e-2, betas=(0.937, 0.999), weight_decay=5e-4, clip_norm=None
    )
    schedule: ScheduleSettings = ScheduleSettings(minimum=1e-4, warmup_epochs=3)

    @model_validator(mode="after")
    def _last_epochs(self) -> DetectorSettings:
        for name, epochs in (
            ("data.plain_epochs", self.data.plain_epochs),
            ("loss.l1_epochs", self.loss.l1_epochs),
        ):
            if epochs > self.schedule.epochs:
                raise ValueError(
                    f"{name} = {epochs} is more than schedule.epochs = {self.schedule.epochs}: "
                    "set both"
                )
        return self


def read_settings(
    path: object | None = None,
    overrides: Sequence[str] = (),
    kind: type[TrainingSettings] = SegmenterSettings,
) -> Any:
    """Return settings of a kind from a YAML file, changed by ``key=value``.

    Args:
        path: the file; None for the defaults.
        overrides: such as ``optimiser.learning_rate=3e-4`` or ``data.crop=[256, 256]``; the value
            is YAML.
        kind: class of the settings.

    Raises:
        InputError: a setting that cannot be; the message names it, and for an unknown one the
            nearest.
    """
    return overridden(kind() if path is None else read_config(path, kind), overrides)
