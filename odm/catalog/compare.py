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
"""Smallest intersection over union of the boxes of two findings that are one."""

_COMPARED = ("name", "source", "reason", "findings")


@dataclass(frozen=True)
class Unmatched:
    """A finding that only one campaign has: the one of ``side``, ``a`` or ``b``."""

    side: str
    identity: str
    source: str
    finding: Row


@dataclass
class Comparison:
    """What two campaigns share.

    Attributes:
        kind: kind of their inputs.
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
        """Return plain values, for a script."""
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
            "only_a": [self._facts(unmatched) for unmatched in self.only_a],
            "only_b": [self._facts(unmatched) for unmatched in self.only_b],
            "differing": self.differing,
        }

    def largest_first(self, findings: list[Unmatched]) -> list[Unmatched]:
        """Sort findings, the largest first."""
        largest, name = self.kind.largest, self.kind.shown[0]
        return sorted(findings, key=lambda found: (-found.finding[largest], found.finding[name]))

    def _facts(self, unmatched: Unmatched) -> dict[str, Any]:
        values = {name: unmatched.finding[name] for name in self.kind.shown}
        plain = {n: v.isoformat() if hasattr(v, "isoformat") else v for n, v in values.items()}
        return {**plain, "source": unmatched.source}


def compare(a: Campaign, b: Campaign) -> Comparison:
    """Compare the outcomes of two campaigns of one kind, input by input.

    Two findings of one input are one where their boxes overlap by `OVERLAP`, and both are the same
    layer; the best pairs first, each finding once. The digest of the model, generations and the
    time of modification of a file are no difference.
    """
    kind = kind_of(a.card.kind)
    rows_a, rows_b = (
        {row["identity"]: row for row in campaign.outcomes(_COMPARED).to_pylist()}
        for campaign in (a, b)
    )
    comparison = Comparison(kind)
    only: tuple[list[Unmatched], list[Unmatched]] = ([], [])
    for identity in sorted(rows_a.keys() | rows_b.keys()):
        rows = (rows_a.get(identity), rows_b.get(identity))
        status_a, status_b = (row["status"] if row else ABSENT for row in rows)
        comparison.statuses[status_a, status_b] += 1
        if rows[0] is None or rows[1] is None or _content(rows[0]) != _content(rows[1]):
            comparison.differing.append(identity)
        findings = [row["findings"] if row else [] for row in rows]
        pairs = match(kind, *findings)
        comparison.matched += len(pairs)
        source = str((rows[0] or rows[1] or {})["source"])
        for side in (0, 1):
            matched = {pair[side] for pair in pairs}
            only[side].extend(
                Unmatched("ab"[side], identity, source, finding)
                for number, finding in enumerate(findings[side])
                if number not in matched
            )
    comparison.only_a, comparison.only_b = map(comparison.largest_first, only)
    return comparison


def match(
    kind: OutcomeKind, a: Sequence[Row], b: Sequence[Row], overlap: float = OVERLAP
) -> list[tuple[int, int]]:
    """Return the pairs of findings of one input that are one, the best overlap first."""
    scored = sorted(
        (-box_overlap(kind, first, second), i, j)
        for i, first in enumerate(a)
        for j, second in enumerate(b)
        if all(first[name] == second[name] for name in kind.same)
    )
    pairs: list[tuple[int, int]] = []
    for negative, i, j in scored:
        free = all(i != pair[0] and j != pair[1] for pair in pairs)
        if -negative >= overlap and free:
            pairs.append((i, j))
    return pairs


def box_overlap(kind: OutcomeKind, a: Row, b: Row) -> float:
    """Compute the intersection over union of the boxes of two findings."""
    inside, areas = 1.0, [1.0, 1.0]
    for low, high, step in kind.box:
        first, second = ((_number(row[low]), _number(row[high]) + step) for row in (a, b))
        inside *= max(0.0, min(first[1], second[1]) - max(first[0], second[0]))
        areas[0] *= first[1] - first[0]
        areas[1] *= second[1] - second[0]
    return inside / (areas[0] + areas[1] - inside)


def _number(value: Any) -> float:
    return float(value.value / 1e9) if hasattr(value, "value") else float(value)


def _content(row: Row) -> str:
    kept = {name: row[name] for name in ("status", *_COMPARED)}
    kept["findings"] = [
        {name: value for name, value in finding.items() if name != "model"}
        for finding in row["findings"]
    ]
    return row_digest(kept)
