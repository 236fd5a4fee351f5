"""The console senders print messages, and warn that they are for development."""

import io
import subprocess
import sys
import warnings
from datetime import UTC, datetime

import pytest

from smsmfa.phone import PhoneNumber
from smsmfa.senders import console
from smsmfa.senders.console import AsyncConsoleSender, ConsoleSender, DevelopmentWarning
from smsmfa.typing import Message, Receipt

RECEIPT = Receipt(message_id=None, sender="console")


def a_message(text):
    return Message(
        to=PhoneNumber("+14155552671", "US", "mobile"),
        text=text,
        code="123456",
        kind="verification",
        challenge_id="c1",
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
    )


@pytest.fixture
def first():
    """Make the next sender the first one of the process."""
    console._warn_once.cache_clear()


@pytest.fixture
def warned(first):
    """Give the process its warning."""
    with pytest.warns(DevelopmentWarning):
        ConsoleSender()


def printed(text):
    stream = io.StringIO()
    ConsoleSender(stream).send(a_message(text))
    return stream.getvalue().splitlines()


@pytest.mark.usefixtures("warned")
class TestPrinting:
    def test_frame(self):
        """A message is drawn in a frame, under the masked number."""
        expected = [
            "╭──────────────────────────────────────────╮",
            "│ SMS to ••••71                            │",
            "├──────────────────────────────────────────┤",
            "│ 123456 is your code.                     │",
            "╰──────────────────────────────────────────╯",
        ]

        assert expected == printed("123456 is your code.")

    def test_long_text_wraps(self):
        """Text wraps at forty columns, and a longer word is broken."""
        lines = printed("word " * 8 + "x" * 50)

        assert {44} == {len(line) for line in lines}
        assert ["word " * 7 + "word", "x" * 40, "x" * 10] == [line[2:-2].rstrip() for line in lines[3:-1]]

    def test_line_breaks_stay(self):
        """Each line of the message stays a line, also the autofill line and an empty line."""
        lines = printed("123456 is your code.\n\n@acme.example #123456")

        assert ["123456 is your code.", "", "@acme.example #123456"] == [line[2:-2].rstrip() for line in lines[3:-1]]

    def test_hyphens_do_not_break(self):
        """A code with hyphens is not broken."""
        assert any("ABCD-EFGH-IJKL" in line for line in printed("your recovery code starts with ABCD-EFGH-IJKL"))

    def test_wide_characters(self):
        """The frame fits characters that take two columns or none."""
        lines = printed("あ" * 30 + "\ne\u0301")

        assert "╭" + "─" * 62 + "╮" == lines[0]
        assert "│ " + "あ" * 30 + " │" == lines[3]
        assert "│ e\u0301" + " " * 59 + " │" == lines[4]

    def test_empty_text(self):
        """An empty message is an empty frame."""
        assert 4 == len(printed(""))

    def test_control_characters(self):
        """A message cannot control the terminal."""
        assert "│ \N{REPLACEMENT CHARACTER}[2J123456" in printed("\x1b[2J123456")[3]

    def test_receipt(self):
        """The receipt names the sender and has no id."""
        assert RECEIPT == ConsoleSender(io.StringIO()).send(a_message("x"))

    def test_current_stdout(self, monkeypatch):
        """Without a stream the message is printed to the current ``sys.stdout``."""
        sender = ConsoleSender()
        monkeypatch.setattr(sys, "stdout", io.StringIO())

        sender.send(a_message("123456 is your code."))

        assert printed("123456 is your code.") == sys.stdout.getvalue().splitlines()

    def test_poor_encoding(self):
        """A stream that cannot encode the frame still shows the text."""
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")

        ConsoleSender(stream).send(a_message("123456 is your code."))

        assert b"? 123456 is your code." in stream.buffer.getvalue()

    async def test_asynchronous(self):
        """The asynchronous sender prints the same and returns the same."""
        stream = io.StringIO()

        assert RECEIPT == await AsyncConsoleSender(stream).send(a_message("123456 is your code."))
        assert printed("123456 is your code.") == stream.getvalue().splitlines()


@pytest.mark.usefixtures("first")
class TestWarning:
    @pytest.mark.parametrize("kind", [ConsoleSender, AsyncConsoleSender])
    def test_once(self, kind):
        """The first sender of the process warns, of either kind, and no other does."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            kind()
            ConsoleSender()
            AsyncConsoleSender()

        assert ["ConsoleSender is for development: it prints codes"] == [str(warning.message) for warning in caught]
        assert issubclass(caught[0].category, DevelopmentWarning)

    @pytest.mark.parametrize("kind", [ConsoleSender, AsyncConsoleSender])
    def test_points_at_caller(self, kind):
        """The warning names the line that makes the sender."""
        with pytest.warns(DevelopmentWarning) as caught:
            kind()

        assert __file__ == caught[0].filename

    def test_is_user_warning(self):
        """It is a UserWarning, which Python shows by default."""
        assert issubclass(DevelopmentWarning, UserWarning)


def test_import_is_light():
    """Importing the module loads no HTTP client and no event loop."""
    program = "import sys, smsmfa.senders.console; print({'asyncio', 'requests', 'twilio'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "set()" == done.stdout.strip()
