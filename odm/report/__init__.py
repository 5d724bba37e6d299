"""Reports on campaigns: figures, a page to look at findings, and their review.

Public names: `write_report` with `ReportOptions` and `WrittenReport`; `to_json`; `read_marks` and
`import_review`; `CampaignReport` and `AnnotationWriter`, which a kind of inputs fills in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from odm.report.review.importing import import_review as import_review
    from odm.report.review.judged import AnnotationWriter as AnnotationWriter
    from odm.report.review.marks import read_marks as read_marks
    from odm.report.shared.kind import CampaignReport as CampaignReport
    from odm.report.shared.options import ReportOptions as ReportOptions
    from odm.report.shared.options import WrittenReport as WrittenReport
    from odm.report.shared.report import write_report as write_report
    from odm.report.shared.texts import to_json as to_json

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "AnnotationWriter": "odm.report.review.judged",
        "CampaignReport": "odm.report.shared.kind",
        "ReportOptions": "odm.report.shared.options",
        "WrittenReport": "odm.report.shared.options",
        "import_review": "odm.report.review.importing",
        "read_marks": "odm.report.review.marks",
        "to_json": "odm.report.shared.texts",
        "write_report": "odm.report.shared.report",
    },
)
