"""Send messages with Twilio: SMS, and voice calls and WhatsApp if they are set up."""

from .sender import AsyncTwilioSender, TwilioSender
from .status import CallbackRejected, DeliveryReport, StatusCallback

__all__ = ["AsyncTwilioSender", "CallbackRejected", "DeliveryReport", "StatusCallback", "TwilioSender"]
