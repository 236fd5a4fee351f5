"""The demo's sender draws a phone."""

import textwrap

from ..senders.console import frame_of
from ..typing import Message, Receipt
from .terminal import Terminal

_SPEAKER = "━━━━━━".center(40)
_BUTTON = "( )".center(40)


class DrawnPhone:
    """A :class:`~smsmfa.typing.Sender` that draws a phone with each message.

    Args:
        terminal: where to draw it.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def send(self, message: Message) -> Receipt:
        """Draw a phone that shows ``message``."""
        screen = f"SMS to {message.to.masked}\n\n{message.text}\n\n{_BUTTON}"
        self._terminal.say("\n" + textwrap.indent(frame_of(_SPEAKER, screen), "    "))
        return Receipt(sender="demo")
