"""Reports on campaigns: figures, a page to look at findings, and their review.

Public names: `write_report` with `ReportOptions` and `WrittenReport`; `to_json`; `read_marks` and
`import_review`; `CampaignReport` and `AnnotationWriter`, which a kind of inputs fills in.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
