"""What a report of any kind needs to know of the inputs of a campaign."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import pyarrow as pa

from odm.catalog.activity import Index
from odm.catalog.campaign import Campaign
from odm.catalog.findings import CampaignTables
from odm.catalog.outcomes import QUARANTINED
from odm.core.errors import OdmError
from odm.report.shared.comparison import (
    BOTH,
    ONLY_A,
    UNSEARCHED,
    CountedColumn,
    Sides,
    sides_of,
)
from odm.report.shared.pictures import Pictures
from odm.report.shared.texts import FINGERPRINT_COLUMNS, fingerprint

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Tables = TypeVar("Tables", bound=CampaignTables)
Files = dict[str, "str | Figure"]
"""Text by name of a file, and figures by name without extension, in the order of listing."""


@dataclass(frozen=True)
class ReportOptions:
    """How a report is made.

    Attributes:
        indices: indices of geomagnetic activity, by which findings are counted.
        context: digests of the files that the indices came from, by name of the index.
        resamples: number of bootstrap resamples for intervals; 0 for no intervals.
        pictures: number of findings that get a picture; None for all, 0 for none.
        archive: where the archive is now; None for where the campaign read it.
        queue_size: inputs of each stratum in the review queue.
        seed: seed of the random samples in the review queue.
        figures: whether figures are drawn.
        remark: a sentence for the caption of the page and of every figure.
    """

    indices: Sequence[Index] = ()
    context: Mapping[str, str] = field(default_factory=dict)
    resamples: int = 1000
    pictures: int | None = None
    archive: str | None = None
    queue_size: int = 15
    seed: int = 0
    figures: bool = True
    remark: str = ""


@dataclass(frozen=True)
class ComparedCampaign(Generic[Tables]):
    """The campaign that another one is compared with.

    Attributes:
        campaign: the campaign, b.
        tables: its findings and inputs.
        sides: which findings are in which of the two.
        findings: findings of both campaigns (as a has them), of only a and of only b.
        fingerprint: fingerprint of its outcomes.
    """

    campaign: Campaign
    tables: Tables
    sides: Sides
    findings: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
    fingerprint: str


class CampaignReport(ABC, Generic[Tables]):
    """A campaign, perhaps beside another one, and what a report says of it.

    Each kind of inputs has a sub-class, which the registry `odm.core.kinds.KINDS` names, and a JSON
    file of its name in `odm.report.page`: ``digits`` after the point of each numeric column of the
    page, ``flags`` that a finding may have, and what is ``shown``: the histograms, the columns of
    the table and the rest that the program in the page reads.

    Attributes:
        campaign: the campaign reported on, a.
        options: how the report is made.
        outcomes: outcomes of the campaign, with ``columns`` and `FINGERPRINT_COLUMNS`.
        tables: its findings and inputs.
        searched: number of its inputs that are not quarantined.
        compared: the campaign that it is compared with.
        sheet: its statistics, as plain values.

    Raises:
        OdmError: outcomes are damaged or lack a column.
    """

    columns: ClassVar[Sequence[str]]
    """Columns of the outcomes that are read."""
    paper: ClassVar[str]
    """DOI of the paper that describes the method."""

    def __init__(
        self, campaign: Campaign, against: Campaign | None, options: ReportOptions
    ) -> None:
        self.campaign, self.options = campaign, options
        self.compared: ComparedCampaign[Tables] | None = None
        self.outcomes = self._read(campaign)
        self.tables = self.read_tables(self.outcomes)
        self.searched = int((self.tables.inputs["status"] != QUARANTINED).sum())
        if against is not None:
            outcomes = self._read(against)
            tables = self.read_tables(outcomes)
            sides, own = sides_of(self.tables, tables), self.tables.findings
            only_b = tables.findings.iloc[sides.only_b]
            findings = own[sides.of_a == BOTH], own[sides.of_a == ONLY_A], only_b
            digest = fingerprint(outcomes)
            self.compared = ComparedCampaign(against, tables, sides, findings, digest)
        self.sheet = self.statistics()
        if self.compared is not None:
            self.sheet["comparison"] = self._comparison_sheet(self.compared)

    def all_figures(self) -> Files:
        """Return the figures by name, that of the comparison last; none if none are asked for."""
        if not self.options.figures:
            return {}
        figures = self.figures()
        if self.compared is not None:
            figures["comparison"] = self.comparison_figure(self.compared.findings)
        return figures

    def _read(self, campaign: Campaign) -> pa.Table:
        try:
            return campaign.outcomes([*self.columns, *FINGERPRINT_COLUMNS])
        except KeyError as error:
            raise OdmError(f"{campaign.folder}: its outcomes lack {error}") from None

    def _comparison_sheet(self, compared: ComparedCampaign[Tables]) -> dict[str, Any]:
        """Return what changed from a to b, and where."""
        a, b, sides = self.campaign, compared.campaign, compared.sides
        both, only_a, only_b = (len(table) for table in compared.findings)
        total = both + only_a + only_b
        return {
            **{
                name: {"campaign": c.folder.resolve().name, "model": dict(c.card.model)}
                for name, c in (("a", a), ("b", b))
            },
            "settings": [
                difference.replace(" there and ", " in A and ").replace(" here", " in B")
                for difference in a.card.differences(b.card)
            ],
            "inputs": [
                {"a": status_a, "b": status_b, "inputs": number}
                for (status_a, status_b), number in sorted(sides.statuses.items())
            ],
            self.tables.kind.findings: {
                "both": both,
                "only_a": only_a,
                "only_b": only_b,
                "agreement": both / total if total else 1.0,
                "not_searched_by_b": int((sides.of_a == UNSEARCHED).sum()),
                "not_searched_by_a": sides.unsearched_b,
                **self.comparison_facts(compared),
            },
            "where": {
                column.name: column.counts(compared.findings) for column in self.counted_columns()
            },
        }

    @abstractmethod
    def read_tables(self, outcomes: pa.Table) -> Tables:
        """Return findings and inputs; outcomes have no column where nothing is done yet."""

    @abstractmethod
    def statistics(self) -> dict[str, Any]:
        """Return the statistics of the campaign, as plain values."""

    @abstractmethod
    def summary(self) -> str:
        """Return a phrase that counts what was found."""

    @abstractmethod
    def days(self) -> tuple[str | None, str | None]:
        """Return the first and the last time of the inputs."""

    @abstractmethod
    def figures(self) -> Files:
        """Return the figures of the campaign by name."""

    @abstractmethod
    def files(self) -> Files:
        """Return all figures and tables, in the order in which they are listed."""

    @abstractmethod
    def counted_columns(self) -> Sequence[CountedColumn]:
        """Return the columns by which findings of two campaigns are counted."""

    @abstractmethod
    def comparison_facts(self, compared: ComparedCampaign[Tables]) -> dict[str, Any]:
        """Return facts about the findings of two campaigns, beside their numbers."""

    @staticmethod
    @abstractmethod
    def comparison_figure(findings: Sequence[pd.DataFrame]) -> Figure:
        """Draw the findings of both campaigns, of only a and of only b."""

    @abstractmethod
    def page_numbers(self, findings: pd.DataFrame) -> Mapping[str, list[Any]]:
        """Return numeric columns of the page beside those that its JSON file names."""

    @abstractmethod
    def page_categories(self, findings: pd.DataFrame) -> dict[str, dict[str, Any]]:
        """Return columns of words; see `odm.report.shared.rows.category`."""

    @abstractmethod
    def notes(self) -> list[str]:
        """Return sentences on what the findings lack."""

    @abstractmethod
    def draw_pictures(self, pictures: Pictures) -> None:
        """Draw the inputs of the queue and the surest findings."""

    def drawable(self) -> Sequence[str]:
        """Return what a person may draw, by name; none where there is only one thing."""
        return ()
