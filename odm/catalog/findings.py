"""The findings of a campaign, and the inputs that they are from, as tables; of any kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from odm.catalog.outcomes import OutcomeKind

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CampaignTables:
    """A campaign in two tables.

    Attributes:
        kind: kind of the inputs.
        findings: a row per finding: columns of `OutcomeKind.finding`.
        inputs: a row per outcome: ``identity``, ``source``, ``status`` and more.
        owner: (findings,) row in ``inputs`` that each finding is from.
    """

    kind: OutcomeKind
    findings: pd.DataFrame
    inputs: pd.DataFrame
    owner: NDArray[np.intp]

    @property
    def identities(self) -> NDArray[Any]:
        """Identity of the input that each finding is from, (findings,)."""
        names = self.inputs["identity"].to_numpy(dtype=object)
        return np.asarray(names[self.owner], dtype=object)

    @property
    def number(self) -> NDArray[np.intp]:
        """Number of findings in each input, (inputs,)."""
        return np.bincount(self.owner, minlength=len(self.inputs)).astype(np.intp)

    @property
    def ids(self) -> list[str]:
        """Name of each finding; see `finding_ids`."""
        # Findings of one input follow each other, in the order of its outcome.
        place = np.arange(len(self.owner)) - np.searchsorted(self.owner, self.owner)
        own = self.findings["region_id"] if "region_id" in self.findings else [None] * len(place)
        rows = zip(own, self.identities, place, strict=True)
        return [_id(name, identity, int(number)) for name, identity, number in rows]


def flattened(column: pa.ChunkedArray) -> tuple[Any, NDArray[np.intp]]:
    """Return the items of a column of lists, and the row that each is from."""
    import pyarrow.compute as pc

    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):  # of no chunk
        whole = pa.array([], column.type)
    return pc.list_flatten(whole), np.asarray(pc.list_parent_indices(whole), dtype=np.intp)


def frame(items: Any, names: Sequence[str]) -> pd.DataFrame:
    """Return some columns of items that are structs."""
    return pa.table({name: items.field(name) for name in names}).to_pandas()


def finding_ids(identity: str, findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the findings of an input, in the order of its outcome.

    A name is that of the catalog where it has one, as regions do; else the input's identity and a
    number.
    """
    return [_id(row.get("region_id"), identity, n) for n, row in enumerate(findings)]


def _id(own: Any, identity: str, place: int) -> str:
    return str(own) if isinstance(own, str) and own else f"{identity}_{place + 1:02d}"
