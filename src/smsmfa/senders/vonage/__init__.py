"""Send SMS with Vonage."""

from ..report import CallbackRejected, DeliveryReport
from .sender import AsyncVonageSender, VonageSender
from .status import VonageCallback

__all__ = ["AsyncVonageSender", "CallbackRejected", "DeliveryReport", "VonageCallback", "VonageSender"]
