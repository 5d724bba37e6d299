"""`ScoreSheet`: what sheets of scores share, whatever was scored: text, JSON, words."""

from __future__ import annotations

import json
import math
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from odm.core.statement import SIMULATED_DATA

WIDTH = 112
"""Columns at which sentences are wrapped."""
BY_PEOPLE = (
    "Scored against what people drew: others would have drawn other outlines, and nothing is "
    "implied about physical origin or earthquakes."
)


@dataclass(frozen=True, kw_only=True)
class ScoreSheet(ABC):
    """All scores of one method on one data set. Plain values throughout; NaN is "undefined".

    Attributes:
        about: what was scored, on which data, with which seed and settings.
        counts: inputs, those without findings, true ones, and the like.
        threshold: smallest confidence of the result that is scored.
        caveat: to be read with the scores.
    """

    SEED: ClassVar[str]
    """The key of a simulation's seed beside the scores on a model's card."""

    about: dict[str, Any]
    counts: dict[str, int]
    threshold: float
    caveat: str = SIMULATED_DATA

    @abstractmethod
    def heading(self) -> list[str]:
        """Return the lines that say how much was scored."""

    @abstractmethod
    def parts(self, *, brief: bool) -> list[str]:
        """Return the tables and remarks, each a text of one or more lines."""

    @abstractmethod
    def card_scores(self) -> dict[str, Any]:
        """Return the scores that a model's card shows."""

    def to_json(self) -> str:
        """Return the sheet as JSON text; what is undefined is null."""
        return json.dumps(plain(asdict(self)), indent=1, allow_nan=False) + "\n"

    def to_text(self, *, brief: bool = False) -> str:
        """Return the sheet as plain text for people; ``brief``: the first tables only."""
        head = [f"{name}: {in_words(value)}" for name, value in self.about.items()]
        texts = [*self.parts(brief=brief), *([wrapped(self.caveat)] if self.caveat else [])]
        lines = "\n".join(
            [*map(wrapped, [*head, *self.heading()]), *(f"\n{text}" for text in texts)]
        )
        return "\n".join(line.rstrip() for line in lines.splitlines()) + "\n"


def wrapped(text: str) -> str:
    """Return a sentence in lines of at most `WIDTH` columns."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def rounded(value: float | None, digits: int = 3) -> str:
    """Return a figure for people; a dash where it is undefined."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.{digits}f}"


def interval_text(pair: Any) -> str:
    """Return an interval for people; nothing where there is none."""
    return "" if pair is None else f"[{rounded(pair[0], 2)}, {rounded(pair[1], 2)}]"


def in_words(value: Any) -> str:
    """Return a setting for people: ``threshold 0.6, flip no`` instead of Python's notation."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name}: ({in_words(item)})"
            if isinstance(item, Mapping)
            else f"{name} {in_words(item)}"
            for name, item in value.items()
        )
    if isinstance(value, list | tuple):
        return " ".join(map(in_words, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: text for keys, lists, None for what is not finite."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
