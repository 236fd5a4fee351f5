"""The walk: enrol a phone, log in with it, lose it, recover. One function a step."""

import secrets
import time
from collections.abc import Callable
from typing import TypeVar

from .. import (
    ALL_REGIONS,
    Challenge,
    CodeRejected,
    Enroller,
    Event,
    FactorConfig,
    MemoryStore,
    PhoneNumberError,
    RateLimited,
    Verification,
    Verifier,
)
from ..phone import supported_regions
from ..typing import Clock
from .countries import COUNTRIES, Country
from .sender import DrawnPhone
from .terminal import Terminal

T = TypeVar("T")

USER = "alice"


class Acme:
    """A site with the factor: what an application has to set up.

    Args:
        terminal: stands for its pages, and for the user's phone.
        clock: a function like :func:`time.time_ns`.
    """

    def __init__(self, terminal: Terminal, clock: Clock) -> None:
        self.terminal = terminal
        self.events: list[Event] = []
        self.config: FactorConfig = FactorConfig(app_name="Acme", secret=secrets.token_urlsafe(32), regions=ALL_REGIONS)
        store, sender = MemoryStore(), DrawnPhone(terminal)
        self.enroller: Enroller = Enroller(self.config, store, sender, on_event=self.events.append, clock=clock)
        self.verifier: Verifier = Verifier(self.config, store, sender, on_event=self.events.append, clock=clock)


def walk(terminal: Terminal, *, clock: Clock = time.time_ns) -> None:
    """Go through every step; where a limit ends the walk, still sum up.

    Args:
        terminal: asks and says.
        clock: a function like :func:`time.time_ns`.
    """
    acme = Acme(terminal, clock)
    terminal.say(
        f"You are {USER}, a user of Acme, and your password was right. Now the second factor. "
        "Your phone is drawn here: no SMS is sent, and the number need not be yours. "
        "What Acme calls stands after >>>. Ctrl-C ends the walk."
    )
    try:
        enrol(acme)
        log_in(acme)
        recover(acme)
    except RateLimited as error:
        refuse(terminal, error, "That is what limits are for, and the end of this walk.")
    summarise(acme)


def enrol(acme: Acme) -> None:
    """Make a phone the user's."""
    terminal = acme.terminal
    heading(terminal, "1. Enrol a phone")
    challenge = ask_number(acme, ask_country(terminal))
    terminal.say('>>> enroller.confirm("alice", challenge.id, code)')
    enrollment = ask_code(terminal, challenge, acme.enroller.confirm, acme.enroller.resend)
    terminal.say(f"✓ The phone {enrollment.phone.masked} is yours. For the day you lose it, a recovery code:")
    show_recovery_code(terminal, enrollment.recovery_codes)
    terminal.say()
    terminal.ask("Press Enter when you have written it down: ")


def ask_country(terminal: Terminal) -> Country:
    """Have a country chosen from the list, or its code typed in."""
    choices = {str(position): country for position, country in enumerate(COUNTRIES, 1)}
    other = str(len(choices) + 1)
    for position, country in choices.items():
        terminal.say(f"  {position}  {country.name}")
    terminal.say(f"  {other}  another one")
    while True:
        answer = terminal.ask(f"Country of the phone, 1 to {other}: ")
        if answer in choices:
            return choices[answer]
        if answer == other:
            return ask_region(terminal)
        terminal.say(f"✗ Type a number from 1 to {other}.")


def ask_region(terminal: Terminal) -> Country:
    """Have the ISO code of any country typed in."""
    while True:
        region = terminal.ask("Its two-letter ISO code, for example NL: ").upper()
        if region in supported_regions():
            return Country(region, region)
        terminal.say("✗ No country has this code. The Netherlands have NL, Mexico has MX.")


def ask_number(acme: Acme, country: Country) -> Challenge:
    """Have a number typed in until one is good, and send the first code to it."""
    acme.terminal.say(f'>>> enroller.start("alice", number, region="{country.region}")')
    suggestion = f", Enter for {country.example}" if country.example else ""
    while True:
        number = acme.terminal.ask(f"Mobile number{suggestion}: ") or country.example
        try:
            return acme.enroller.start(USER, number, region=country.region)
        except PhoneNumberError as error:
            refuse(acme.terminal, error)


def ask_code(
    terminal: Terminal,
    challenge: Challenge,
    check: Callable[[str, str, str], T],
    resend: Callable[[str, str], Challenge],
) -> T:
    """Have a code typed in until it is right, and return what the check says then."""
    while True:
        answer = terminal.ask("Code (r: send it again): ")
        try:
            if answer.lower() != "r":
                return check(USER, challenge.id, answer)
            challenge = resend(USER, challenge.id)
        except CodeRejected as error:
            refuse(terminal, error, "Type r to get a new one." if error.attempts_left == 0 else "")
        except RateLimited as error:
            if error.scope != "resend":
                raise
            refuse(terminal, error)


def log_in(acme: Acme) -> None:
    """Use the phone, with a mistake on the way."""
    terminal, verifier = acme.terminal, acme.verifier
    heading(terminal, "2. Log in with it")
    terminal.say("Another day. Your password is right again, so Acme sends a new code.")
    terminal.say('>>> verifier.challenge("alice")')
    challenge = verifier.challenge(USER)
    terminal.say("Get it wrong first: type six other digits, and see what is left.")
    terminal.say('>>> verifier.verify("alice", challenge.id, code)')
    proof = ask_code(terminal, challenge, verifier.verify, verifier.resend)
    terminal.say(f"✓ You are logged in; the method was {proof.method}. The same code would not work again.")


def recover(acme: Acme) -> None:
    """Get in without the phone."""
    terminal = acme.terminal
    heading(terminal, "3. Lose it, and recover")
    terminal.say("The phone is gone. The recovery code from step 1 lets you in, once.")
    terminal.say('>>> verifier.recover("alice", recovery_code)')
    proof = ask_recovery_code(acme)
    terminal.say(f"✓ You are logged in; the method was {proof.method}. The code is used up, and this one replaces it:")
    show_recovery_code(terminal, proof.recovery_codes)


def ask_recovery_code(acme: Acme) -> Verification:
    """Have a recovery code typed in until it is right."""
    while True:
        try:
            return acme.verifier.recover(USER, acme.terminal.ask("Recovery code: "))
        except CodeRejected as error:
            refuse(acme.terminal, error)


def summarise(acme: Acme) -> None:
    """Show what is left, and what Acme's log has."""
    status, limits, terminal = acme.verifier.status(USER), acme.config.limits, acme.terminal
    heading(terminal, "What Acme knows now")
    terminal.say(f"  messages left       {status.sends_left} of {limits.user.capacity}")
    terminal.say(f"  wrong codes left    {status.guesses_left} of {limits.guesses.capacity}")
    terminal.say(f"  phones              {', '.join(phone.masked for phone in status.phones) or 'none'}")
    terminal.say(f"  recovery codes      {status.recovery_codes_left}")
    terminal.say("\nIts audit log:")
    for event in acme.events:
        terminal.say(f"  {event.name:<30}{event.outcome:<9}{event.scope or event.error or ''}")


def heading(terminal: Terminal, title: str) -> None:
    """Begin a step."""
    terminal.say(f"\n── {title} " + "─" * (40 - len(title)))


def refuse(terminal: Terminal, error: Exception, advice: str = "") -> None:
    """Say why something was refused, and what to do."""
    reason = str(error)
    terminal.say(f"✗ {reason[0].upper()}{reason[1:]}. {advice}")


def show_recovery_code(terminal: Terminal, recovery_codes: tuple[str, ...]) -> None:
    """Show recovery codes the one time they can be shown."""
    terminal.say("\n".join(["", *(f"    {code}" for code in recovery_codes)]))
