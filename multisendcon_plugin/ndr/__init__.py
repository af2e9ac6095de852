"""Reports to the sender of a message: it could not be delivered, is delayed, or was passed on.

Builds a delivery status notification (RFC 3464) in a multipart/report (RFC 6522) as bytes in
wire form, and says who gets it.  Never sends it, never touches the original message.
"""

from .facts import Facts, ReportAction, addressees, returned_size, wanted
from .report import Report, report
from .summary import summary

__all__ = [
    "Facts",
    "Report",
    "ReportAction",
    "addressees",
    "report",
    "returned_size",
    "summary",
    "wanted",
]
