"""What a report of any kind needs to know of the inputs of a campaign."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import pyarrow as pa

from odm.catalog.campaign import Campaign
from odm.catalog.findings import CampaignTables
from odm.catalog.outcomes import QUARANTINED
from odm.core.errors import OdmError
from odm.report.shared.comparison import CountedColumn, Sides, by_side, comparison_sheet, sides_of
from odm.report.shared.options import ReportOptions
from odm.report.shared.pictures import Pictures
from odm.report.shared.provenance import FINGERPRINT_COLUMNS, fingerprint
from odm.report.shared.queue import ReviewQueue
from odm.report.shared.rows import PageColumns, PageRows

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Tables = TypeVar("Tables", bound=CampaignTables)
Files = dict[str, "str | Figure"]
"""Text by name of a file, and figures by name without extension, in the order of listing."""


@dataclass(frozen=True)
class ComparedCampaign(Generic[Tables]):
    """The campaign that another one is compared with.

    Attributes:
        campaign: the campaign, b.
        tables: its findings and inputs.
        sides: which findings are in which of the two.
        fingerprint: fingerprint of its outcomes.
    """

    campaign: Campaign
    tables: Tables
    sides: Sides
    fingerprint: str


class CampaignReport(ABC, Generic[Tables]):
    """A campaign, perhaps beside another one, and what a report says of it.

    Each kind of inputs has a sub-class, which the registry `odm.core.kinds.KINDS` names.

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
    page_columns: ClassVar[PageColumns]
    """Columns of the page, and how it shows them."""

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
            sides = sides_of(self.tables, tables)
            self.compared = ComparedCampaign(against, tables, sides, fingerprint(outcomes))
        self.sheet = self.statistics()
        if self.compared is not None:
            self.sheet["comparison"] = comparison_sheet(
                (campaign, self.compared.campaign),
                self.tables.kind.findings,
                self.findings_by_side(self.compared),
                self.compared.sides,
                self.counted_columns(),
                self.comparison_facts(self.compared),
            )

    def findings_by_side(self, compared: ComparedCampaign[Tables]) -> tuple[pd.DataFrame, ...]:
        """Return the findings of both campaigns, of only a and of only b."""
        return by_side(self.tables, compared.tables, compared.sides)

    def all_figures(self) -> Files:
        """Return the figures by name, that of the comparison last; none if none are asked for."""
        if not self.options.figures:
            return {}
        figures = self.figures()
        if self.compared is not None:
            figures["comparison"] = self.comparison_figure(self.findings_by_side(self.compared))
        return figures

    def _read(self, campaign: Campaign) -> pa.Table:
        try:
            return campaign.outcomes([*self.columns, *FINGERPRINT_COLUMNS])
        except KeyError as error:
            raise OdmError(f"{campaign.folder}: its outcomes lack {error}") from None

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

    @abstractmethod
    def comparison_figure(self, findings: Sequence[pd.DataFrame]) -> Figure:
        """Draw the findings of both campaigns, of only a and of only b."""

    @abstractmethod
    def page_numbers(self, findings: pd.DataFrame) -> Mapping[str, list[Any]]:
        """Return numeric columns of the page beside those that ``page_columns`` names."""

    @abstractmethod
    def page_categories(self, findings: pd.DataFrame) -> dict[str, dict[str, Any]]:
        """Return columns of words; see `odm.report.shared.rows.category`."""

    @abstractmethod
    def notes(self) -> list[str]:
        """Return sentences on what the findings lack."""

    @abstractmethod
    def draw_pictures(self, pictures: Pictures, rows: PageRows, queue: ReviewQueue) -> None:
        """Draw the inputs of the queue and the surest findings."""

    def drawable(self) -> Sequence[str]:
        """Return what a person may draw, by name; none where there is only one thing."""
        return ()
