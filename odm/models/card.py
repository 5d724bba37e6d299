"""The card of a model folder: what `model.json` says, its digests, and how it is checked.

Reading a card imports no torch.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from odm.core.errors import InputError
from odm.core.files import exists, join, read_bytes

FORMAT = 1
CARD = "model.json"
COVERED = ("weights", "architecture", "image", "thresholds")


@dataclass(frozen=True)
class ModelCard:
    """What `model.json` says.

    Attributes:
        digest: of all that decides an answer (64 hexadecimal digits).
        architecture: `kind`, `name` and `options`.
        image: image settings, as `OrbitImageSettings.to_dict()` gives them.
        thresholds: by name: of probabilities, sizes, temperatures.
        training_data: digest of the data set that it was trained on, or "none".
        metrics: by name, with the data and seed that they come from.
        weights: `file`, `bytes`, `digest` and `dtype`; empty for a method without learning.
        code_version: of the package that saved it.
        notes: anything else worth keeping.
    """

    digest: str
    architecture: Mapping[str, Any]
    image: Mapping[str, Any]
    thresholds: Mapping[str, Any]
    training_data: str = "none"
    metrics: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Any] = field(default_factory=dict)
    code_version: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)


def read_model_card(folder: object) -> ModelCard:
    """Read and check `model.json`, without the weights and without torch.

    Raises:
        InputError: if the folder is no model folder, or its card was changed after it was saved;
            the sentence names what differs.
    """
    content = read_json(folder, CARD, "model")
    for key in ("architecture", "image", "thresholds", "weights", "parts", "digest"):
        if key not in content:
            raise InputError(f"{folder} is no model folder: its {CARD} has no {key!r}.")
    tables = ("architecture", "image", "thresholds", "weights", "parts")
    whole = all(isinstance(content[key], dict) for key in tables)
    if not whole or not {"kind", "name", "options"} <= set(content["architecture"]):
        raise InputError(f"{folder} is no model folder: its {CARD} does not hold what it should.")
    changed = [part for part in COVERED if digest_of(content[part]) != content["parts"].get(part)]
    if changed:
        raise InputError(
            f"{folder}: {CARD} was changed after the model was saved: its digest no longer fits "
            f"the {_and(changed)}."
        )
    if digest_of(content["parts"]) != content["digest"]:
        raise InputError(f"{folder}: {CARD} was changed after the model was saved: the digest.")
    return to_card(content)


def check_expected(folder: object, card: ModelCard, expect: Mapping[str, Any]) -> None:
    """Raise InputError naming every setting in which a card differs from what is expected."""
    unknown = [key for key in expect if not hasattr(card, key)]
    if unknown:
        raise InputError(f"A model card has no {_and(unknown)}.")
    differing: list[str] = []
    for key, expected in expect.items():
        _differences(key, _plain(getattr(card, key)), _plain(expected), differing)
    if differing:
        raise InputError(f"{folder} does not fit: {'; '.join(differing)}.")


def read_json(folder: object, name: str, what: str) -> dict[str, Any]:
    """Read the card of a folder and check its format number.

    Raises:
        InputError: if it is missing, no JSON, or of a newer format.
    """
    path = join(folder, name)
    if not exists(path):
        raise InputError(f"{folder} is no {what} folder: it has no {name}.")
    try:
        content = json.loads(read_bytes(path))
    except ValueError:
        raise InputError(f"{folder} is no {what} folder: its {name} is not JSON.") from None
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise InputError(f"{folder} is no {what} folder: its {name} has no format number.")
    if content["format"] > FORMAT:
        raise InputError(
            f"{folder} was saved in format {content['format']} by a newer version of odm; this one "
            f"reads up to {FORMAT}."
        )
    return content


def _differences(path: str, have: Any, expected: Any, out: list[str]) -> None:
    if isinstance(expected, dict) and isinstance(have, dict):
        for key, value in expected.items():
            if key in have:
                _differences(f"{path}.{key}", have[key], value, out)
            else:
                out.append(f"it has no {path}.{key}")
    elif have != expected:
        out.append(f"{path} is {json.dumps(have)}, not {json.dumps(expected)}")


def to_card(content: Mapping[str, Any]) -> ModelCard:
    """The card in the content of `model.json`."""
    plain = _plain(content)
    names = ModelCard.__dataclass_fields__
    return ModelCard(**{name: plain[name] for name in names if name in plain})


def _plain(value: Any) -> Any:
    """Return what JSON would give back: tuples become lists, so that saved equals read."""
    return json.loads(to_json(value))


def to_json(value: Any, indent: int | None = None) -> bytes:
    """Write a value as JSON with sorted keys.

    Raises:
        InputError: if it holds anything else than JSON can.
    """
    try:
        text = json.dumps(value, indent=indent, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"A model's settings cannot be written as JSON: {error}.") from None
    return text.encode()


def simple(value: Any) -> Any:
    """Return Python's own types: the numbers and arrays of numpy and torch are no JSON."""
    if isinstance(value, Mapping):
        return {key: simple(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [simple(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def kept(value: Any) -> Any:
    """Return `simple` values, None for a number that is undefined or infinite, as JSON has none."""
    value = simple(value)
    if isinstance(value, dict):
        return {key: kept(item) for key, item in value.items()}
    if isinstance(value, list):
        return [kept(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def digest_of(value: Any) -> str:
    """Digest of a value that can be written as JSON; the order of keys does not matter."""
    return hashlib.sha256(to_json(value)).hexdigest()


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
