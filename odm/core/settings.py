"""Typed settings from YAML and the command line, with one sentence for what cannot be."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError

from odm.core.errors import ArchiveError, InputError
from odm.core.files import read_bytes
from odm.core.text import nearest, unknown_name


class Settings(BaseModel):
    """Base of every group of settings: nothing unknown, nothing changed after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Options(Settings):
    """Settings that a caller gives by name, such as those of a command.

    Raises:
        InputError: an unknown name, or a value that cannot be; where a validator refuses it, in
            the validator's own words.
    """

    if not TYPE_CHECKING:  # which sees the fields as parameters

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                first = error.errors()[0]
                cause = first.get("ctx", {}).get("error")
                if isinstance(cause, InputError):
                    raise cause from None
                raise InputError(_sentence(first, type(self), "option")) from None


Model = TypeVar("Model", bound=BaseModel)


def read_config(path: object, model: type[Model]) -> Model:
    """Read a YAML file into a model.

    Raises:
        InputError: no such file, not YAML, or a setting that cannot be; the message names it.
    """
    return parse_config(read_yaml(path), model, path)


def read_yaml(path: object) -> Any:
    """Return the plain values of a YAML file.

    Raises:
        InputError: no such file, or not YAML.
    """
    import yaml

    try:
        text = read_bytes(path).decode("utf-8")
    except ArchiveError as error:
        raise InputError(str(error)) from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a text file (UTF-8)") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise InputError(f"{path}: not valid YAML: {problem}{where}") from None


def parse_config(content: object, model: type[Model], where: object, what: str = "key") -> Model:
    """Validate plain values against a model.

    Args:
        content: what YAML or JSON gave.
        model: pydantic model that forbids extra keys.
        where: what to call the content in an error, such as its file.
        what: what to call an unknown key.

    Raises:
        InputError: a setting that cannot be; the message names it.
    """
    if not isinstance(content, dict):
        raise InputError(f"{where}: holds no settings, but {_plain(content)}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = error.errors()
        first, more = problems[0], len(problems) - 1
        rest = f" (and {more} more)" if more else ""
        raise InputError(f"{where}: {_sentence(first, model, what)}{rest}") from None


def changed(settings: Model, changes: Mapping[str, Any]) -> Model:
    """Return settings with other values.

    Args:
        settings: as they are.
        changes: values by dotted name, such as ``optimiser.learning_rate``.

    Raises:
        InputError: a setting that is not known or cannot be.
    """
    kind = type(settings)
    content = settings.model_dump(mode="python")
    known = list(_dotted_names(kind))
    for key, value in changes.items():
        _set(content, key, value, known, kind)
    return parse_config(content, kind, "the options")


def overridden(settings: Model, overrides: Sequence[str]) -> Model:
    """Return settings changed by ``key=value``, as on a command line; a value is YAML.

    Raises:
        InputError: not ``key=value``, or a setting that is not known or cannot be.
    """
    return changed(settings, dict(map(_parsed, overrides))) if overrides else settings


def _parsed(override: str) -> tuple[str, Any]:
    import yaml

    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not key:
        raise InputError(f"{override!r}: write a setting as key=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"{override!r}: {text!r} is no value in YAML") from None
    return key, _number(value) if isinstance(value, str) else value


def _number(text: str) -> str | float:
    """Return a number that YAML takes for a word: 1e-3, of which it expects 1.0e-3."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _set(
    content: dict[str, Any], key: str, value: Any, known: list[str], kind: type[BaseModel]
) -> None:
    groups = key.split(".")
    for depth, name in enumerate(groups[:-1], 1):
        if not isinstance(content.get(name), dict):
            break
        content = content[name]
        prefix = ".".join(groups[:depth]) + "."
        if not any(setting.startswith(prefix) for setting in known):
            # A setting that is itself a dictionary takes any name.
            content[".".join(groups[depth:])] = value
            return
    if key not in known:
        near = _nearest_setting(key, known)
        raise InputError(unknown_name("setting", key, kind.model_fields, near=near))
    content[groups[-1]] = value


def _dotted_names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        yield prefix + name
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _dotted_names(kind, f"{prefix}{name}.")


def _nearest_setting(key: str, known: list[str]) -> str | None:
    """Return the nearest dotted name; the group before the last dot may be wrong or missing."""
    leaf = key.rpartition(".")[2]
    leaves = {name.rpartition(".")[2]: name for name in reversed(known)}
    return leaves.get(leaf) or nearest(key, known, 0.6) or leaves.get(nearest(leaf, leaves) or "")


def _sentence(problem: Any, model: type[BaseModel], what: str) -> str:
    path = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        known = _known_keys(model, path[:-1])
        return unknown_name(what, path[-1], known, ".".join(path[:-1]))
    if problem["type"] == "missing":
        return f"{'.'.join(path)} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if not message[1:2].isupper():  # an abbreviation keeps its capitals
        message = message[:1].lower() + message[1:]
    if problem["type"] == "value_error":
        return f"{'.'.join(path)}: {message}" if path else message
    return f"{'.'.join(path)}: {message}, not {_plain(problem['input'])}"


def _known_keys(model: type, path: list[str]) -> list[str]:
    kind: Any = model
    for name in path:
        hints = get_type_hints(kind) if isinstance(kind, type) else {}
        kind = _settings_in(hints.get(name))
    if kind is None:
        return []
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    return list(kind.model_fields)


def _settings_in(hint: Any) -> Any:
    """The model or dataclass in a type hint such as ``OrbitSplit | None``."""
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for option in options:
        if isinstance(option, type) and (
            issubclass(option, BaseModel) or dataclasses.is_dataclass(option)
        ):
            return option
    return None


def _plain(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
