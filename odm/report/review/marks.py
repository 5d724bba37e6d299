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
"""Before the id of a finding that only the other campaign has."""


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """What a person drew.

    Attributes:
        x: low and high: seconds since 1970 (half-orbits) or Hz (ionograms).
        y: low and high: Hz, or km.
        layer: what it is, of ionograms; empty of half-orbits.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    layer: str = ""


@dataclass(frozen=True)
class Marks:
    """What `odm report`'s page exported.

    Attributes:
        kind: of the campaign: ``orbits`` or ``ionograms``.
        fingerprint: of the outcomes that were looked at.
        against: of those of the campaign beside it; empty without one.
        findings: id of a finding → mark; `OTHER` before those of the other campaign.
        inputs: identity → mark.
        boxes: identity → what was drawn.
        queue: identity → stratum.
        strata: stratum → ``inputs`` and ``findings`` in the campaign.
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
    """Read an exported file.

    Raises:
        InputError: no such file, or not one of these.
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
            findings={str(one["id"]): str(one["mark"])
                      for one in content["findings"] if one.get("mark")},
            inputs={str(one["identity"]): str(one["mark"]) for one in inputs if one.get("mark")},
            boxes={str(one["identity"]): [_box(box) for box in one["boxes"]]
                   for one in inputs if one.get("boxes")},
            queue={str(one["identity"]): str(one["stratum"]) for one in content["queue"]},
            strata={str(name): {key: int(number) for key, number in one.items()}
                    for name, one in content["strata"].items()},
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
    return DrawnBox((first, last), (low, high), *(str(one) for one in values[4:5]))
