"""Send messages with Twilio: SMS, and voice calls and WhatsApp if they are set up."""

from ..report import CallbackRejected, DeliveryReport
from .sender import AsyncTwilioSender, TwilioSender
from .status import StatusCallback

__all__ = ["AsyncTwilioSender", "CallbackRejected", "DeliveryReport", "StatusCallback", "TwilioSender"]
