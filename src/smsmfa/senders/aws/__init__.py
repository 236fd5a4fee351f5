"""Send messages with AWS End User Messaging: SMS, and voice calls if they are set up."""

from .sender import AsyncAwsSender, AwsSender

__all__ = ["AsyncAwsSender", "AwsSender"]
