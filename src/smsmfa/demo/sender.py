"""The demo's carrier: it draws the phone that a message arrives on."""

import textwrap

from ..senders.console import frame_of
from ..typing import Message, Receipt
from .terminal import Terminal

_SPEAKER = "━━━━━━".center(40)
_BUTTON = "( )".center(40)


class DrawnPhone:
    """A :class:`~smsmfa.typing.Sender` that shows every message in the frame of a phone.

    Args:
        terminal: where the phone lies.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def send(self, message: Message) -> Receipt:
        """Show ``message``."""
        screen = f"SMS to {message.to.masked}\n\n{message.text}\n\n{_BUTTON}"
        self._terminal.say("\n" + textwrap.indent(frame_of(_SPEAKER, screen), "    "))
        return Receipt(sender="demo")
