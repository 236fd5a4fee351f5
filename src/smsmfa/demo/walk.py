"""The walk: enrol a phone, log in with it, lose it, recover. Each step is a function."""

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

#: Units for a wait with their seconds, the largest first.
UNITS = ("hour", 3600), ("minute", 60), ("second", 1)
#: What a person reads if a limit refuses, by its scope.
REFUSALS = {
    "resend": "A code was sent a moment ago",
    "guesses": "Too many wrong codes",
    "recovery": "Too many wrong recovery codes",
}


class Acme:
    """A site with the factor. Its ``__init__`` is all that an application sets up.

    Args:
        terminal: stands for the pages of the site and for the user's phone.
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
    """Go through every step, then sum up. If a limit refuses, the steps end early.

    Args:
        terminal: asks the questions and shows the answers.
        clock: a function like :func:`time.time_ns`.
    """
    acme = Acme(terminal, clock)
    terminal.say(
        f"You are {USER}, a user of a site called Acme. You have typed the right password, and now comes the "
        "second factor. No SMS is sent: your phone is drawn here, so any number will do. Lines that start with "
        ">>> show what the site calls. Press Ctrl-C to stop."
    )
    try:
        enrol(acme)
        log_in(acme)
        recover(acme)
    except RateLimited as error:
        refuse(terminal, error, "That is what the limit is for. The walk ends here.")
    summarise(acme)


def enrol(acme: Acme) -> None:
    """Enrol a phone and show its recovery code."""
    terminal = acme.terminal
    heading(terminal, "1. Enrol a phone")
    challenge = ask_number(acme, ask_country(terminal))
    terminal.say('>>> enroller.confirm("alice", pending.id, code)')
    enrollment = ask_code(terminal, challenge, acme.enroller.confirm, acme.enroller.resend)
    terminal.say(f"✓ Your phone {enrollment.phone.masked} is enrolled. If you lose it, this recovery code helps:")
    show_recovery_code(terminal, enrollment.recovery_codes)
    terminal.say()
    terminal.ask("Press Enter when you have written it down: ")


def ask_country(terminal: Terminal) -> Country:
    """Ask for a country of the list, or for the code of another."""
    choices = {str(position): country for position, country in enumerate(COUNTRIES, 1)}
    other = str(len(choices) + 1)
    for position, country in choices.items():
        terminal.say(f"  {position}  {country.name}")
    terminal.say(f"  {other}  another country")
    while True:
        answer = terminal.ask(f"Country of the phone, 1 to {other}: ")
        if answer in choices:
            return choices[answer]
        if answer == other:
            return ask_region(terminal)
        terminal.say(f"✗ Type a number from 1 to {other}.")


def ask_region(terminal: Terminal) -> Country:
    """Ask for the ISO code of any country."""
    while True:
        region = terminal.ask("Two-letter country code, for example NL: ").upper()
        if region in supported_regions():
            return Country(region, region)
        terminal.say("✗ That is not a country code. Examples: NL is the Netherlands, MX is Mexico.")


def ask_number(acme: Acme, country: Country) -> Challenge:
    """Ask for a number until one is accepted, and send a code to it."""
    suggestion = f", or Enter for {country.example}" if country.example else ""
    question = f"Mobile number{suggestion}: "
    while True:
        number = acme.terminal.ask(question) or country.example
        acme.terminal.say(f'>>> pending = enroller.start("alice", number, region="{country.region}")')
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
    """Ask for a code until it is right, and return the result of the check."""
    while True:
        answer = terminal.ask("Code, or r to send it again: ")
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
    """Log in with the phone, after one wrong code."""
    terminal, verifier = acme.terminal, acme.verifier
    heading(terminal, "2. Log in with it")
    terminal.say("The next day: your password is right, and Acme sends a new code.")
    terminal.say('>>> challenge = verifier.challenge("alice")')
    challenge = verifier.challenge(USER)
    terminal.say("First type six other digits, to see what a wrong code costs.")
    terminal.say('>>> verifier.verify("alice", challenge.id, code)')
    proof = ask_code(terminal, challenge, verifier.verify, verifier.resend)
    terminal.say(f"✓ You are logged in (method: {proof.method}). This code will not work again.")


def recover(acme: Acme) -> None:
    """Log in without the phone."""
    terminal = acme.terminal
    heading(terminal, "3. Lose it, and recover")
    terminal.say("Your phone is gone. The recovery code from step 1 lets you in once.")
    terminal.say('>>> verifier.recover("alice", recovery_code)')
    proof = ask_recovery_code(acme)
    terminal.say(f"✓ You are logged in (method: {proof.method}). Your next recovery code:")
    show_recovery_code(terminal, proof.recovery_codes)


def ask_recovery_code(acme: Acme) -> Verification:
    """Ask for a recovery code until it is right."""
    while True:
        try:
            return acme.verifier.recover(USER, acme.terminal.ask("Recovery code: "))
        except CodeRejected as error:
            refuse(acme.terminal, error)


def summarise(acme: Acme) -> None:
    """Show what is left, and what was logged."""
    status, limits, terminal = acme.verifier.status(USER), acme.config.limits, acme.terminal
    heading(terminal, "What Acme knows now")
    terminal.say(f"  messages left       {status.sends_left} of {limits.user.capacity}")
    terminal.say(f"  wrong codes left    {status.guesses_left} of {limits.guesses.capacity}")
    terminal.say(f"  phones              {', '.join(phone.masked for phone in status.phones) or 'none'}")
    terminal.say(f"  recovery codes      {status.recovery_codes_left}")
    terminal.say("\nThe audit log:")
    for event in acme.events:
        terminal.say(f"  {event.name:<30}{event.outcome:<9}{event.scope or event.error or ''}")


def heading(terminal: Terminal, title: str) -> None:
    """Show the title of a step."""
    terminal.say(f"\n── {title} " + "─" * (40 - len(title)))


def refuse(terminal: Terminal, error: Exception, advice: str = "") -> None:
    """Say why something was refused, and what to do."""
    reason = str(error)
    if isinstance(error, RateLimited):
        reason = REFUSALS.get(error.scope, "Too many messages")
        if error.retry_after_seconds:
            reason += f". Try again in {spoken(error.retry_after_seconds)}"
    terminal.say(f"✗ {reason[0].upper()}{reason[1:]}. {advice}")


def spoken(seconds: int) -> str:
    """Return a wait in words, rounded up to a whole unit: ``"10 hours"``."""
    name, unit = next((name, unit) for name, unit in UNITS if seconds >= unit)
    count = -(-seconds // unit)
    return f"{count} {name}" + ("s" if count > 1 else "")


def show_recovery_code(terminal: Terminal, recovery_codes: tuple[str, ...]) -> None:
    """Show recovery codes. This is the only time that they can be shown."""
    terminal.say("\n".join(["", *(f"    {code}" for code in recovery_codes)]))
