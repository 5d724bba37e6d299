"""What a person marked in a report's page, read back from its export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from odm.core.errors import ArchiveError, InputError
from odm.core.files import read_bytes

KIND, VERSION = "odm review", 2
RIGHT, WRONG, UNSURE = "right", "wrong", "unsure"
NOTHING, SOMETHING = "nothing missed", "something missed"
OTHER = "b:"
"""Prefix of the id of a finding that only the other campaign has."""


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box that a person drew.

    Attributes:
        x: low and high: seconds since 1970 (half-orbits) or Hz (ionograms).
        y: low and high: Hz, or km.
        layer: name of the layer of an ionogram; empty on half-orbits.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    layer: str = ""


@dataclass(frozen=True)
class Marks:
    """What `odm report`'s page exported.

    Attributes:
        kind: kind of the campaign: ``orbits`` or ``ionograms``.
        fingerprint: fingerprint of the outcomes that were looked at.
        against: fingerprint of the outcomes of the campaign beside it; empty without one.
        findings: mark by id of a finding; `OTHER` stands before ids of the other campaign.
        inputs: mark by identity of an input.
        boxes: what was drawn, by identity.
        queue: stratum by identity.
        strata: numbers of ``inputs`` and ``findings`` of the campaign, by stratum.
    """

    kind: str
    fingerprint: str
    against: str
    findings: Mapping[str, str]
    inputs: Mapping[str, str]
    boxes: Mapping[str, list[DrawnBox]]
    queue: Mapping[str, str]
    strata: Mapping[str, Mapping[str, int]]


def read_marks(path: object) -> Marks:
    """Read a file that the page exported.

    Raises:
        InputError: no such file, or no export of marks.
    """
    try:
        content = json.loads(read_bytes(path).decode("utf-8"))
        if content["kind"] != KIND or content["version"] != VERSION:
            raise ValueError(f"is of kind {content['kind']!r}, version {content['version']!r}")
        inputs = content["inputs"]
        marks = Marks(
            kind=str(content["campaign"]),
            fingerprint=str(content["fingerprint"]),
            against=str(content["against"]),
            findings={str(entry["id"]): str(entry["mark"])
                      for entry in content["findings"] if entry.get("mark")},
            inputs={str(entry["identity"]): str(entry["mark"])
                    for entry in inputs if entry.get("mark")},
            boxes={str(entry["identity"]): [_box(box) for box in entry["boxes"]]
                   for entry in inputs if entry.get("boxes")},
            queue={str(entry["identity"]): str(entry["stratum"]) for entry in content["queue"]},
            strata={str(name): {key: int(number) for key, number in numbers.items()}
                    for name, numbers in content["strata"].items()},
        )  # fmt: skip
    except ArchiveError as error:
        raise InputError(str(error)) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: is no export of marks ({error})") from None
    strange = ({*marks.findings.values()} - {RIGHT, WRONG, UNSURE}) | (
        {*marks.inputs.values()} - {NOTHING, SOMETHING}
    )
    if strange:
        raise InputError(f"{path}: is no export of marks (has the mark {min(strange)!r})")
    return marks


def _box(values: Any) -> DrawnBox:
    first, last, low, high = (float(value) for value in values[:4])
    if not np.isfinite([first, last, low, high]).all() or first > last or low > high:
        raise ValueError("a box that is no box")
    return DrawnBox((first, last), (low, high), *map(str, values[4:5]))
