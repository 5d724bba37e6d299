"""Typed settings from YAML: an unknown key is an error that names the nearest known one."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Collection, Iterable
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError

from odm.core.errors import ArchiveError, InputError
from odm.core.files import read_bytes
from odm.core.text import unknown_name


class Settings(BaseModel):
    """Base of every group of settings: nothing unknown, nothing changed after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def read_config(path: object, model: type[Model]) -> Model:
    """Read a YAML file into a model.

    Raises:
        InputError: no such file, not YAML, or a setting that cannot be; the message names it.
    """
    return parse_config(read_yaml(path), model, path)


def read_yaml(path: object) -> Any:
    """The plain values of a YAML file.

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


def parse_config(content: object, model: type[Model], where: object) -> Model:
    """Validate plain values against a model.

    Args:
        content: what YAML or JSON gave.
        model: pydantic model that forbids extra keys.
        where: what to call it in an error: the file.

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
        raise InputError(f"{where}: {_sentence(first, model)}{rest}") from None


def check_keys(keys: Iterable[object], known: Collection[str], where: str = "") -> None:
    """Refuse unknown keys.

    Raises:
        InputError: naming the first unknown key and the nearest known one.
    """
    for key in keys:
        if key not in known:
            raise InputError(unknown_name("key", str(key), known, where))


def _sentence(problem: Any, model: type[BaseModel]) -> str:
    path = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        known = _known_keys(model, path[:-1])
        return unknown_name("key", path[-1], known, ".".join(path[:-1]))
    if problem["type"] == "missing":
        return f"{'.'.join(path)} is missing"
    message = problem["msg"].removeprefix("Value error, ")
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
