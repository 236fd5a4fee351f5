"""The terminal asks and prints on streams of any kind."""

import io
import sys

import pytest

from smsmfa.demo.terminal import Terminal


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Set the width to sixty columns."""
    monkeypatch.setenv("COLUMNS", "60")


@pytest.fixture
def stdin(monkeypatch):
    """Return a function that puts UTF-8 bytes on the standard input."""

    def put(typed):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed), encoding="utf-8"))

    return put


@pytest.fixture
def ascii_stdout(monkeypatch):
    """Return a function that limits the standard output to ASCII, and returns a function that reads it."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n", write_through=True)

    def written():
        return stream.buffer.getvalue().decode()

    def begin():
        monkeypatch.setattr(sys, "stdout", stream)
        return written

    return begin


def said(capsys, text):
    Terminal().say(text)
    return capsys.readouterr().out


def test_ask(stdin, capsys):
    """The prompt is shown, and the answer is returned without surrounding white space."""
    stdin(b"  yes \n")

    assert "yes" == Terminal().ask("Really? ")
    assert "Really? " == capsys.readouterr().out


def test_ask_at_the_end(stdin):
    """The end of the input raises EOFError."""
    stdin(b"")

    with pytest.raises(EOFError):
        Terminal().ask("Really? ")


def test_ask_without_stdin(monkeypatch):
    """An input that was closed before Python started raises EOFError."""
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(EOFError):
        Terminal().ask("Really? ")


def test_ask_undecodable(stdin):
    """Invalid UTF-8 is read as a character that no question accepts."""
    stdin(b"\xff\n")

    assert "\N{REPLACEMENT CHARACTER}" == Terminal().ask("Really? ")


def test_ask_with_poor_encoding(stdin, ascii_stdout):
    """A prompt is shown in the characters that the terminal has."""
    stdin(b"yes\n")
    written = ascii_stdout()

    assert "yes" == Terminal().ask("✓ Naïve? ")
    assert "+ Na?ve? " == written()


def test_no_line_editing(stdin, monkeypatch):
    """Asking works on a platform without readline."""
    monkeypatch.setitem(sys.modules, "readline", None)
    stdin(b"yes\n")

    assert "yes" == Terminal().ask("Really? ")


def test_say(capsys):
    """Lines that fit are printed unchanged, including indentation and empty lines."""
    assert "  a  b\n\nc\n" == said(capsys, "  a  b\n\nc")


def test_say_nothing(capsys):
    """Without an argument an empty line is printed."""
    Terminal().say()

    assert "\n" == capsys.readouterr().out


def test_long_lines_wrap(capsys):
    """Longer lines wrap at the terminal's width, keep their indentation, and do not break at hyphens."""
    assert "  " + "word " * 11 + "\n  my-code\n" == said(capsys, "  " + "word " * 11 + "my-code").replace(
        "word\n", "word \n"
    )


@pytest.mark.parametrize(
    "columns, expected",
    [
        pytest.param("20", 48, id="narrower than a phone"),
        pytest.param("60", 60, id="narrow"),
        pytest.param("200", 76, id="wide"),
    ],
)
def test_width(capsys, monkeypatch, columns, expected):
    """Text is as wide as the terminal, at least 48 and at most 76 columns."""
    monkeypatch.setenv("COLUMNS", columns)

    assert expected == max(len(line) for line in said(capsys, "x" * 500).splitlines())


def test_say_with_poor_encoding(ascii_stdout):
    """A terminal without the characters gets ASCII lines, and a question mark for any other character."""
    written = ascii_stdout()

    Terminal().say("╭─╮\n│✓│ é ••••71\n╰─╯")

    assert "+-+\n|+| ? ****71\n+-+\n" == written()


def test_say_without_encoding(monkeypatch):
    """A stream without an encoding accepts any character."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())

    Terminal().say("✓")

    assert "✓\n" == sys.stdout.getvalue()


@pytest.mark.parametrize("keyboard, attended", [(True, True), (False, False)])
def test_attended(stdin, monkeypatch, keyboard, attended):
    """The terminal is attended if the input is a terminal."""
    stdin(b"")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: keyboard, raising=False)

    assert attended is Terminal().attended


def test_attended_once_something_was_typed(stdin):
    """The terminal is attended once a line came through a pipe."""
    stdin(b"yes\n")
    terminal = Terminal()

    assert not terminal.attended
    terminal.ask("Really? ")
    assert terminal.attended
