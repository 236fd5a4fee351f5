"""The demo's sender draws a phone with the message."""

from datetime import UTC, datetime

import pytest

from smsmfa import PhoneNumber
from smsmfa.demo.sender import DrawnPhone
from smsmfa.demo.terminal import Terminal
from smsmfa.typing import Message, Receipt


@pytest.fixture
def message():
    return Message(
        to=PhoneNumber.parse("+14155552671"),
        text="123456 is your code.",
        code="123456",
        kind="verification",
        challenge_id="c1",
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("columns", ["40", "60", "200"])
def test_phone(message, capsys, monkeypatch, columns):
    """A message is drawn on a phone with the masked number, whole on a terminal of any width."""
    monkeypatch.setenv("COLUMNS", columns)
    expected = [
        "",
        "    ╭──────────────────────────────────────────╮",
        "    │                  ━━━━━━                  │",
        "    ├──────────────────────────────────────────┤",
        "    │ SMS to ••••71                            │",
        "    │                                          │",
        "    │ 123456 is your code.                     │",
        "    │                                          │",
        "    │                   ( )                    │",
        "    ╰──────────────────────────────────────────╯",
        "",
    ]

    DrawnPhone(Terminal()).send(message)

    assert expected == capsys.readouterr().out.splitlines()


def test_receipt(message, capsys):
    """The receipt names the sender, and has no id."""
    assert Receipt(message_id=None, sender="demo") == DrawnPhone(Terminal()).send(message)
