"""The player reads the screen as a person does, and answers."""

import pytest

from smsmfa.demo.player import SCRIPT, Player, code, recovery_code, typed, wrong_code

RECOVERY_CODE = "ABCD-EFGH-JKMN-PQRS-TVWX-0123"


def test_typed(capsys):
    """An answer that is fixed is typed whatever the screen shows, and shown."""
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
    """Codes are taken from the screen: the last one, or another that is as long."""
    player = Player([answer])
    player.say(screen)

    assert expected == player.ask("Code: ")


def test_does_not_read_what_it_types():
    """What the player types itself is not read as a code that was sent to it."""
    player = Player([wrong_code, code])
    player.say("│ 123456 is your code │")

    assert ["123457", "123456"] == [player.ask("Code: "), player.ask("Code: ")]


def test_script_makes_one_mistake():
    """The script has exactly one wrong code."""
    assert 1 == SCRIPT.count(wrong_code)
