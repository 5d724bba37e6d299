from .review.importing import import_review as import_review
from .review.marks import AnnotationWriter as AnnotationWriter
from .review.marks import read_marks as read_marks
from .shared.kind import CampaignReport as CampaignReport
from .shared.kind import ReportOptions as ReportOptions
from .shared.report import WrittenReport as WrittenReport
from .shared.report import write_report as write_report
from .shared.texts import to_json as to_json
