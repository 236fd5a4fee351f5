"""Send messages with AWS End User Messaging: SMS, and voice calls if they are set up."""

from ..report import CallbackRejected, DeliveryReport
from .reports import AwsReports, report_of
from .sender import AsyncAwsSender, AwsSender

__all__ = ["AsyncAwsSender", "AwsReports", "AwsSender", "CallbackRejected", "DeliveryReport", "report_of"]
