"""Two campaigns side by side: what one found and the other did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from odm.catalog.campaign import Campaign
from odm.catalog.kinds import kind_of
from odm.catalog.outcomes import OutcomeKind, row_digest

Row = Mapping[str, Any]
ABSENT = "absent"
OVERLAP = 0.25
"""Of the boxes of two findings, intersection over union from which they are one."""

_COMPARED = ("name", "source", "reason", "findings")


@dataclass(frozen=True)
class Unmatched:
    """A finding that only one campaign has. ``side``: ``a`` or ``b``."""

    side: str
    identity: str
    source: str
    finding: Row


@dataclass
class Comparison:
    """What two campaigns share.

    Attributes:
        kind: of their inputs.
        statuses: (status in a, status in b) → inputs; `ABSENT` where one has no outcome.
        matched: findings that both have.
        only_a, only_b: findings that one of them has, the largest first.
        differing: identities whose rows are not the same.
    """

    kind: OutcomeKind
    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    matched: int = 0
    only_a: list[Unmatched] = field(default_factory=list)
    only_b: list[Unmatched] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether there is no difference."""
        return not self.differing

    @property
    def agreement(self) -> float:
        """Findings that both have, as a share of all that any has; 1 where there is none."""
        total = self.matched + len(self.only_a) + len(self.only_b)
        return self.matched / total if total else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a script."""
        return {
            "equal": self.equal,
            "inputs": [
                {"a": a, "b": b, "inputs": number}
                for (a, b), number in sorted(self.statuses.items())
            ],
            self.kind.findings: {
                "both": self.matched,
                "only_a": len(self.only_a),
                "only_b": len(self.only_b),
                "agreement": round(self.agreement, 4),
            },
            "only_a": [self._facts(one) for one in self.only_a],
            "only_b": [self._facts(one) for one in self.only_b],
            "differing": self.differing,
        }

    def _facts(self, one: Unmatched) -> dict[str, Any]:
        values = {name: one.finding[name] for name in self.kind.shown}
        plain = {n: v.isoformat() if hasattr(v, "isoformat") else v for n, v in values.items()}
        return {**plain, "source": one.source}


def compare(a: Campaign, b: Campaign) -> Comparison:
    """Compare the outcomes of two campaigns of one kind, input by input.

    Two findings of one input are one where their boxes overlap by `OVERLAP`, and both are the same
    layer; the best pairs first, each finding once. The digest of the model, generations and the
    time of modification of a file are no difference.
    """
    kind = kind_of(a.card.kind)
    rows_a, rows_b = _rows(a), _rows(b)
    result = Comparison(kind)
    for identity in sorted(rows_a.keys() | rows_b.keys()):
        one, other = rows_a.get(identity), rows_b.get(identity)
        status = (one["status"] if one else ABSENT, other["status"] if other else ABSENT)
        result.statuses[status] += 1
        if one is None or other is None or _content(one) != _content(other):
            result.differing.append(identity)
        found_a = one["findings"] if one else []
        found_b = other["findings"] if other else []
        pairs = match(kind, found_a, found_b)
        result.matched += len(pairs)
        taken_a, taken_b = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
        source = str((one or other or {})["source"])
        for side, found, taken, out in (
            ("a", found_a, taken_a, result.only_a),
            ("b", found_b, taken_b, result.only_b),
        ):
            out += [
                Unmatched(side, identity, source, finding)
                for number, finding in enumerate(found)
                if number not in taken
            ]
    for out in (result.only_a, result.only_b):
        out.sort(key=lambda one: (-one.finding[kind.largest], one.finding[kind.shown[0]]))
    return result


def match(
    kind: OutcomeKind, a: Sequence[Row], b: Sequence[Row], overlap: float = OVERLAP
) -> list[tuple[int, int]]:
    """Pairs of findings of one input that are one, best overlap first."""
    scored = sorted(
        (-box_overlap(kind, one, other), i, j)
        for i, one in enumerate(a)
        for j, other in enumerate(b)
        if all(one[name] == other[name] for name in kind.same)
    )
    pairs: list[tuple[int, int]] = []
    for negative, i, j in scored:
        free = all(i != pair[0] and j != pair[1] for pair in pairs)
        if -negative >= overlap and free:
            pairs.append((i, j))
    return pairs


def box_overlap(kind: OutcomeKind, one: Row, other: Row) -> float:
    """Intersection over union of the boxes of two findings."""
    inside, areas = 1.0, [1.0, 1.0]
    for low, high, step in kind.box:
        first, second = ((_number(row[low]), _number(row[high]) + step) for row in (one, other))
        inside *= max(0.0, min(first[1], second[1]) - max(first[0], second[0]))
        areas[0] *= first[1] - first[0]
        areas[1] *= second[1] - second[0]
    return inside / (areas[0] + areas[1] - inside)


def _number(value: Any) -> float:
    return float(value.value / 1e9) if hasattr(value, "value") else float(value)


def _rows(campaign: Campaign) -> dict[str, Row]:
    table = campaign.outcomes(_COMPARED)
    return {row["identity"]: row for row in table.to_pylist()}


def _content(row: Row) -> str:
    kept = {name: row[name] for name in ("status", *_COMPARED)}
    kept["findings"] = [
        {name: value for name, value in one.items() if name != "model"} for one in row["findings"]
    ]
    return row_digest(kept)
