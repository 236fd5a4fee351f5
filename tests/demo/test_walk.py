"""The walk shows the whole factor, asks again after every mistake, and ends at a limit."""

import re
from datetime import timedelta

import pytest
from support import Clock

from smsmfa import RateLimited
from smsmfa.demo.player import SCRIPT, Player, code, recovery_code, typed, wrong_code
from smsmfa.demo.terminal import Terminal
from smsmfa.demo.walk import refuse, walk

COUNTRY, NUMBER, ENTER, RESEND = typed("1"), typed("(415) 555-2671"), typed(""), typed("r")
ENROL = (COUNTRY, NUMBER, code, ENTER)
LOG_IN = (code,)
RECOVER = (recovery_code,)
WRONG_RECOVERY_CODE = typed("-".join(["0000"] * 6))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def play(clock, capsys, monkeypatch):
    """Return a function that plays answers, all of them, and returns what the terminal shows."""
    monkeypatch.setenv("COLUMNS", "76")

    def play(*answers):
        rest = iter(answers)
        walk(Player(rest), clock=clock)
        assert [] == list(rest)
        return capsys.readouterr().out

    return play


def later(clock, answer, **by):
    """Move the clock before ``answer`` is typed."""

    def wait(screen):
        clock.move(**by)
        return answer(screen)

    return wait


def codes_sent(screen):
    return re.findall(r"│ ([0-9]{6}) is your", screen)


def recovery_codes_shown(screen):
    return re.findall(r"^    ([0-9A-Z-]{29})$", screen, re.MULTILINE)


def audit_log(screen):
    return [line.split() for line in screen.partition("The audit log:\n")[2].splitlines()]


def test_whole_walk(play):
    """The script enrols, enters one wrong code, logs in, recovers, and shows a summary."""
    screen = play(*SCRIPT)

    assert "✗ The code is not right; attempts left: 4." in screen
    assert "  messages left       8 of 10\n" in screen
    assert "  wrong codes left    19 of 20\n" in screen
    assert "  phones              ••••71\n" in screen
    assert "  recovery codes      1\n" in screen
    assert [
        ["gd_send_sms", "ok"],
        ["gd_enrollment_complete", "ok"],
        ["gd_send_sms", "ok"],
        ["gd_auth_failed", "refused", "code_rejected"],
        ["gd_auth_succeed", "ok"],
        ["gd_recovery_succeed", "ok"],
    ] == audit_log(screen)


def test_codes_differ(play):
    """Enrolment and login have different codes, and another recovery code replaces the used one."""
    screen = play(*SCRIPT)

    assert 2 == len(set(codes_sent(screen))) == len(codes_sent(screen))
    assert 2 == len(set(recovery_codes_shown(screen))) == len(recovery_codes_shown(screen))


def test_real_clock(capsys):
    """Without an argument the walk uses the real clock."""
    walk(Player(SCRIPT))

    assert "gd_recovery_succeed" in capsys.readouterr().out


def test_right_at_once(play):
    """The walk works without a mistake."""
    screen = play(*ENROL, *LOG_IN, *RECOVER)

    assert "✗" not in screen
    assert "  wrong codes left    20 of 20\n" in screen


@pytest.mark.parametrize("answer", ["", "0", "10", "US", "one", "１"])
def test_no_such_country(play, answer):
    """After an answer that is not on the list, the country is asked for again."""
    screen = play(typed(answer), *ENROL, *LOG_IN, *RECOVER)

    assert 1 == screen.count("✗ Type a number from 1 to 9.\n")


def test_other_country(play):
    """Any country can be entered by its code, in either case. It has no example number for Enter."""
    screen = play(
        typed("9"), typed("XX"), typed(""), typed("nl"), ENTER, typed("06 12345678"), *ENROL[2:], *LOG_IN, *RECOVER
    )

    assert 2 == screen.count("✗ That is not a country code.")
    assert 'Mobile number:\n>>> pending = enroller.start("alice", number, region="NL")\n✗ Not a phone' in screen
    assert "SMS to ••••78" in screen


def test_example_number(play):
    """Enter takes the country's example number."""
    assert "SMS to ••••56" in play(typed("3"), ENTER, code, ENTER, *LOG_IN, *RECOVER)


@pytest.mark.parametrize(
    "answer, expected",
    [
        pytest.param(
            "hello", "Not a phone number; write it in digits, with its country code or as it is", id="malformed"
        ),
        pytest.param("555", "Too short or too long for a phone number of this country.", id="impossible"),
        pytest.param("(000) 555-2671", "This country has no such phone number.", id="invalid"),
        pytest.param("(800) 555-0199", "This kind of phone number cannot receive an SMS code", id="type"),
    ],
)
def test_bad_number(play, answer, expected):
    """After an unusable number the reason is shown, and the number is asked for again."""
    screen = play(COUNTRY, typed(answer), NUMBER, *ENROL[2:], *LOG_IN, *RECOVER)

    assert expected in screen
    assert "  messages left       8 of 10\n" in screen


def test_bad_codes(play):
    """A wrong code costs an attempt, a malformed code costs none, and both are asked for again."""
    screen = play(COUNTRY, NUMBER, wrong_code, typed("12345"), ENTER, wrong_code, *ENROL[2:], *LOG_IN, *RECOVER)

    assert ["attempts left: 4", "attempts left: 3"] == re.findall("attempts left: [0-9]", screen)
    assert 2 == screen.count("✗ This cannot be a code; enter it as it was sent.\n")
    assert "  wrong codes left    18 of 20\n" in screen


def test_resend_too_soon(play):
    """A resend within the gap is refused with the time to wait."""
    screen = play(*ENROL, typed("R"), *LOG_IN, *RECOVER)

    assert "✗ A code was sent a moment ago. Try again in 30 seconds." in screen
    assert 2 == len(codes_sent(screen))


def test_resend(play, clock):
    """R5: a resend after the gap repeats the code."""
    screen = play(*ENROL, later(clock, RESEND, seconds=30), *LOG_IN, *RECOVER)

    _, first, second = codes_sent(screen)
    assert first == second


@pytest.mark.parametrize("before", [(COUNTRY, NUMBER), ENROL], ids=["enrolment", "login"])
def test_expired(play, clock, before):
    """R2: an expired code is refused, and r sends another one."""
    after = (*ENROL, *LOG_IN, *RECOVER)[len(before) :]
    screen = play(*before, later(clock, code, minutes=5), RESEND, *after)

    assert 1 == screen.count("✗ The code has expired; ask for a new one. Type r to get a new one.")
    assert 3 == len(set(codes_sent(screen)))


@pytest.mark.parametrize("before", [(COUNTRY, NUMBER), ENROL], ids=["enrolment", "login"])
def test_exhausted(play, before):
    """T1: after five wrong codes even the right one is refused, and r sends another one."""
    after = (*ENROL, *LOG_IN, *RECOVER)[len(before) :]
    screen = play(*before, *[wrong_code] * 5, code, RESEND, *after)

    assert 2 == screen.count("✗ The code is not right; attempts left: 0. Type r to get a new one.")
    assert 3 == len(set(codes_sent(screen)))


def test_bad_recovery_codes(play):
    """A wrong recovery code costs an attempt, a malformed one costs none, and both are asked for again."""
    screen = play(*ENROL, *LOG_IN, ENTER, WRONG_RECOVERY_CODE, *RECOVER)

    assert 1 == screen.count("✗ This cannot be a code; enter it as it was sent.\n")
    assert 1 == screen.count("✗ The code is not right; attempts left: 9.")


def test_guesses_used_up(play):
    """T2: new codes give no new guesses, and the walk ends with the summary once they are used up."""
    screen = play(COUNTRY, NUMBER, *[*[wrong_code] * 5, RESEND] * 4)

    assert "✗ Too many wrong codes. Try again in 10 hours. That is what the limit is for." in " ".join(screen.split())
    assert "  wrong codes left    0 of 20\n" in screen
    assert "  phones              none\n" in screen
    assert ["gd_otp_rate_limit_exceed", "refused", "guesses"] == audit_log(screen)[-1]


def test_recovery_used_up(play):
    """R20: the walk ends once the attempts at recovery codes are used up."""
    screen = play(*ENROL, *LOG_IN, *[WRONG_RECOVERY_CODE] * 11)

    assert "✗ Too many wrong recovery codes. Try again in 24 hours." in screen
    assert ["gd_recovery_rate_limit_exceed", "refused", "recovery"] == audit_log(screen)[-1]


@pytest.mark.parametrize(
    "wait, expected",
    [
        (timedelta(seconds=0.4), "Too many messages. Try again in 1 second."),
        (timedelta(seconds=61), "Too many messages. Try again in 2 minutes."),
        (timedelta(hours=1), "Too many messages. Try again in 1 hour."),
        (None, "Too many messages."),
    ],
)
def test_wait(capsys, wait, expected):
    """A wait is told in words, rounded up."""
    refuse(Terminal(), RateLimited("user", wait))

    assert f"✗ {expected}\n" == capsys.readouterr().out


def test_narrow_terminal(play, monkeypatch):
    """On sixty columns no line is longer, and no row of the log wraps."""
    monkeypatch.setenv("COLUMNS", "60")

    screen = play(
        COUNTRY,
        typed("555"),
        NUMBER,
        RESEND,
        *[wrong_code] * 5,
        RESEND,
        *ENROL[2:],
        *LOG_IN,
        *[WRONG_RECOVERY_CODE] * 11,
    )

    assert 60 >= max(map(len, screen.splitlines()))
    assert all(row[0].startswith("gd_") for row in audit_log(screen))
