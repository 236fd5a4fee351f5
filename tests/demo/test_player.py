"""The player reads the screen like a person, and answers."""

import pytest

from smsmfa.demo.player import SCRIPT, Player, code, recovery_code, typed, wrong_code

RECOVERY_CODE = "ABCD-EFGH-JKMN-PQRS-TVWX-0123"


def test_typed(capsys):
    """A fixed answer is typed and shown."""
    assert "yes" == Player([typed("yes")]).ask("Really? ")
    assert "Really? yes\n" == capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, screen, expected",
    [
        pytest.param(code, "│ 123456 is your code │", "123456", id="code"),
        pytest.param(code, "│ 123456 is your code │\n│ 000001 is your code │", "000001", id="last code"),
        pytest.param(wrong_code, "│ 123456 is your code │", "123457", id="wrong code"),
        pytest.param(wrong_code, "│ 999999 is your code │", "000000", id="wrong code, the last one"),
        pytest.param(recovery_code, f"    {RECOVERY_CODE}\n", RECOVERY_CODE, id="recovery code"),
    ],
)
def test_reads_the_screen(answer, screen, expected):
    """A right answer is the last code on the screen, and a wrong one is another code of the same length."""
    player = Player([answer])
    player.say(screen)

    assert expected == player.ask("Code: ")


def test_does_not_read_what_it_types():
    """The player does not read its own answers as codes."""
    player = Player([wrong_code, code])
    player.say("│ 123456 is your code │")

    assert ["123457", "123456"] == [player.ask("Code: "), player.ask("Code: ")]


def test_script_makes_one_mistake():
    """The script contains exactly one wrong code."""
    assert 1 == SCRIPT.count(wrong_code)
