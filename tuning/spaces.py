"""Search spaces: named parameters of a task, each over a range or some choices, from YAML.

task: segmenter
parameters:
  learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
  sdi_levels: {choices: ["off", 4-32, all]}
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import field_validator, model_validator

from odm.core.checks import check_keys
from odm.core.errors import InputError
from odm.core.kinds import TASKS, Entry
from odm.core.settings import Settings, changed, parse_config, read_config
from odm.models.networks.detector import SIZES
from odm.models.networks.odm_unet import SDI_LEVELS
from odm.training.settings import MULTIPLE, TrainingSettings

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

THRESHOLDS = Entry(
    "thresholds",
    parts={
        "parameters": "tuning.spaces:THRESHOLD_PARAMETERS",
        "objectives": "tuning.objectives:THRESHOLD_OBJECTIVES",
    },
)
"""The search of a trained model's thresholds, beside those of the trainings' settings."""
IMAGE_SIZE = "image_size"
"""The one parameter that changes the data set: height and width of its images."""

Value = str | int | float | bool | None
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """What can be searched.

    Attributes:
        key: setting of the training that it is; empty for `IMAGE_SIZE` and for thresholds.
        whole: whether it is a whole number, where it is a number.
        least, most: smallest and largest number that it can be.
        known: values that it can have; None where it is a number.
    """

    key: str = ""
    whole: bool = False
    least: float | None = None
    most: float | None = None
    known: tuple[Value, ...] | None = None


_COMMON = {
    "learning_rate": Parameter("optimiser.learning_rate"),
    "weight_decay": Parameter("optimiser.weight_decay"),
    "batch_size": Parameter("data.batch_size", whole=True, least=1),
    "positive_share": Parameter("data.positive_share", least=0, most=1),
    "warmup_epochs": Parameter("schedule.warmup_epochs", least=0),
    "restart_epochs": Parameter("schedule.restart_epochs", whole=True, least=1),
    "restart_multiplier": Parameter("schedule.restart_multiplier", whole=True, least=1),
    IMAGE_SIZE: Parameter(whole=True, least=MULTIPLE),
}
SEGMENTER_PARAMETERS = {
    "sdi_channels": Parameter("model.options.sdi_channels", whole=True, least=1),
    "sdi_levels": Parameter("model.options.sdi_strides", known=tuple(SDI_LEVELS)),
    "odconv": Parameter("model.options.odconv", known=("none", "depthwise", "pointwise", "all")),
    "odconv_kernels": Parameter("model.options.odconv_kernels", known=(1, 2, 4)),
    **_COMMON,
    "crop": Parameter("data.crop", whole=True, least=MULTIPLE),
    "augmentation": Parameter("data.augmentation", known=("none", "paper", "physical")),
    "strength": Parameter("data.strength", least=0),
    "dice": Parameter("loss.dice", least=0),
    "nucleus_weight": Parameter("loss.class_weights", least=0),
}
DETECTOR_PARAMETERS = {
    "size": Parameter("model.architecture", known=tuple(SIZES)),
    **_COMMON,
    "frozen_epochs": Parameter("schedule.phases", whole=True, least=0),
    **{
        name: Parameter(f"data.{name}", least=0, most=1)
        for name in ("mosaic", "mixup", "flip", "colour", "zoom")
    },
    "plain_epochs": Parameter("data.plain_epochs", whole=True, least=0),
    "l1_epochs": Parameter("loss.l1_epochs", whole=True, least=0),
}
THRESHOLD_PARAMETERS = {
    "probability": Parameter(least=0, most=1),
    "hysteresis": Parameter(least=0, most=1),
    "minimum_area": Parameter(whole=True, least=1),
    "seed_pixels": Parameter(whole=True, least=1),
    "score": Parameter(least=0, most=1),
    "nms": Parameter(least=0, most=1),
}
"""``hysteresis`` is the low threshold as a share of the high one, ``nms`` the overlap from which
two boxes are the same thing; the others are named as the settings are."""


def find_search(task: str) -> Entry:
    """What is searched for a task: the settings of its trainings, or thresholds.

    Raises:
        InputError: this version knows no task of that name.
    """
    return THRESHOLDS if task == THRESHOLDS.name else TASKS.find(task)


def _parameters(task: str) -> Mapping[str, Parameter]:
    parameters: Mapping[str, Parameter] = find_search(task).load("parameters")
    return parameters


class Range(Settings):
    """Numbers from ``low`` to ``high``, both included.

    Attributes:
        low, high: the ends.
        log: whether steps are factors.
        step: between two of them; None for any.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Range:
        if not self.low <= self.high:
            raise ValueError(f"the range is empty: low {self.low:g} is above high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range begins above 0, not at {self.low:g}")
        if self.step is not None:
            if self.step <= 0 or self.log:
                raise ValueError("step: give a number above 0, and not with log")
            steps = (self.high - self.low) / self.step
            if abs(steps - round(steps)) > 1e-6:
                raise ValueError(
                    f"steps of {self.step:g} from {self.low:g} do not end at {self.high:g}"
                )
        return self

    @property
    def ends(self) -> tuple[Value, ...]:
        """What to try, to see whether all of it can be meant."""
        return self.low, self.high


class Choices(Settings):
    """Some values, without an order."""

    choices: tuple[Value, ...]

    @model_validator(mode="after")
    def _not_empty(self) -> Choices:
        if not self.choices:
            raise ValueError("the range is empty: there is nothing to choose from")
        if len({repr(value) for value in self.choices}) != len(self.choices):
            raise ValueError("choices: one of them is there twice")
        return self

    @property
    def ends(self) -> tuple[Value, ...]:
        """What to try, to see whether all of it can be meant."""
        return self.choices


class _SpaceFile(Settings):
    task: str
    parameters: dict[str, Any]

    @field_validator("task")
    @classmethod
    def _known(cls, task: str) -> str:
        names = [*(entry.name for entry in TASKS), THRESHOLDS.name]
        if task not in names:
            first = ", ".join(map(repr, names[:-1]))
            raise ValueError(f"input should be {first} or {names[-1]!r}, not {task!r}")
        return task


@dataclass(frozen=True)
class Space:
    """What a sweep searches.

    Attributes:
        task: a training task, or thresholds.
        domains: what is tried of each parameter, by its name.
    """

    task: str
    domains: dict[str, Range | Choices]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for YAML and JSON."""
        parameters = {
            name: domain.model_dump(mode="json", exclude_defaults=True)
            for name, domain in self.domains.items()
        }
        return {"task": self.task, "parameters": parameters}

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The domains as Optuna takes them."""
        return {name: self._distribution(name) for name in self.domains}

    @property
    def image_sizes(self) -> tuple[int | None, ...]:
        """Sizes of images that are searched; None alone for those of the data set."""
        domain = self.domains.get(IMAGE_SIZE)
        return domain.choices if isinstance(domain, Choices) else (None,)  # type: ignore[return-value]

    def only(self, names: set[str]) -> Space:
        """The space with these parameters alone.

        Raises:
            InputError: none is left.
        """
        kept = {name: domain for name, domain in self.domains.items() if name in names}
        if not kept:
            raise InputError(f"the space holds none of {', '.join(sorted(names))}")
        return Space(self.task, kept)

    def check(self, base: TrainingSettings) -> None:
        """See, before anything is trained, that every value can be meant.

        Args:
            base: settings of what is not searched.

        Raises:
            InputError: one cannot be; the message names the parameter and the value.
        """
        _check_options(self.task, base)
        for name, domain in self.domains.items():
            for value in domain.ends:
                try:
                    settings = settings_of(self.task, base, {name: self._typed(name, value)})
                    _check_options(self.task, settings)
                except InputError as error:
                    raise InputError(f"{name} = {value}: {error}") from None

    def models(self, base: TrainingSettings) -> Iterator[tuple[str, TrainingSettings]]:
        """Settings of the models that are searched: first values alone, then each other value with
        the first ones of the other parameters; each named by what it differs in."""
        searched = {
            name: [self._typed(name, value) for value in domain.ends]
            for name, domain in self.domains.items()
            if _parameters(self.task)[name].key.startswith("model.")
        }
        first = {name: values[0] for name, values in searched.items()}
        yield "", settings_of(self.task, base, first)
        for name, values in searched.items():
            for value in values[1:]:
                yield f"{name} = {value}", settings_of(self.task, base, {**first, name: value})

    def _typed(self, name: str, value: Value) -> Value:
        whole = _parameters(self.task)[name].whole
        return int(value) if whole and isinstance(value, float) else value

    def _distribution(self, name: str) -> BaseDistribution:
        from optuna import distributions as of

        domain = self.domains[name]
        if isinstance(domain, Choices):
            return of.CategoricalDistribution(domain.choices)
        if _parameters(self.task)[name].whole:
            low, high, step = int(domain.low), int(domain.high), int(domain.step or 1)
            return of.IntDistribution(low, high, log=domain.log, step=step)
        return of.FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)


def read_space(path: object, task: str) -> Space:
    """A space of a YAML file.

    Args:
        path: the file.
        task: the task that it must be of.

    Raises:
        InputError: an unknown parameter (naming the nearest), an empty range, or a value that
            cannot be; the message names it.
    """
    content = read_config(path, _SpaceFile)
    if content.task != task:
        raise InputError(f"{path}: is a space of {content.task}, not of {task}")
    return make_space(task, content.parameters, path)


def make_space(task: str, parameters: Values, where: object = "the space") -> Space:
    """A space of plain values; see `read_space`."""
    known = _parameters(task)
    try:
        check_keys(parameters, known, "parameters")
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    if not parameters:
        raise InputError(f"{where}: there is nothing to search; known: {', '.join(known)}")
    domains: dict[str, Range | Choices] = {}
    for name, entry in parameters.items():
        kind: type[Range | Choices] = Range
        if isinstance(entry, dict) and "choices" in entry:
            kind = Choices
        if isinstance(entry, dict):
            check_keys(entry, kind.model_fields, f"{where}: {name}")
        domain = parse_config(entry, kind, f"{where}: {name}")
        reason = _impossible(known[name], domain, name)
        if reason:
            raise InputError(f"{where}: {name}: {reason}")
        domains[name] = domain
    return Space(task, domains)


def _impossible(parameter: Parameter, domain: Range | Choices, name: str) -> str:
    """Why a parameter cannot have some of its values; empty where it can."""
    if isinstance(domain, Range) and (parameter.known is not None or name == IMAGE_SIZE):
        known = parameter.known or ("256", "512")
        return f"give choices, such as {', '.join(map(str, known))}, not a range"
    for value in domain.ends:
        if parameter.known is not None:
            if value not in parameter.known or isinstance(value, bool):
                hint = ' (in YAML off without quotes is false: write "off")' * (value is False)
                return f"{value!r} is none of {', '.join(map(str, parameter.known))}{hint}"
            continue
        if value is None:
            continue
        if isinstance(value, str | bool) or not math.isfinite(value):
            return f"{value!r} is no number"
        if parameter.whole and value != int(value):
            return f"{value:g} is no whole number"
        if parameter.least is not None and value < parameter.least:
            return f"{value:g} is below {parameter.least:g}"
        if parameter.most is not None and value > parameter.most:
            return f"{value:g} is above {parameter.most:g}"
        if name in (IMAGE_SIZE, "crop") and value % MULTIPLE:
            return f"{value:g} is no multiple of {MULTIPLE}"
    if isinstance(domain, Range) and parameter.whole and (domain.step or 1) % 1:
        return f"step {domain.step:g} is no whole number"
    return ""


def settings_of(task: str, base: TrainingSettings, values: Values) -> TrainingSettings:
    """Settings of one trial.

    Args:
        task: segmenter or detector.
        base: what is not searched.
        values: values of the parameters, by name.

    Raises:
        InputError: together they cannot be.
    """
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if name == IMAGE_SIZE:
            continue
        changes[_parameters(task)[name].key] = _setting(name, value)
    size = values.get(IMAGE_SIZE)
    crop = changes.get("data.crop", getattr(base.data, "crop", None))
    if size is not None and crop is not None:
        changes["data.crop"] = [min(side, size) for side in crop]
    return changed(base, changes)


def _check_options(task: str, settings: TrainingSettings) -> None:
    """Check that a model of the settings can be."""
    TASKS.find(task).load("options")(settings.model.architecture, **settings.model.options)


def _setting(name: str, value: Any) -> Any:
    """The value of the setting that a parameter is."""
    if name == "crop" and value is not None:
        return [value, value]
    if name == "nucleus_weight" and value is not None:
        return [1.0, value]
    if name == "frozen_epochs":
        return [{"epochs": value, "freeze": ["backbone"]}, {}] if value else []
    return value
