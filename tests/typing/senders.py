"""Senders as an application puts them together. Only type checkers read this file; nothing runs it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, assert_type

from smsmfa import AsyncConsoleSender, ConsoleSender, TwilioSender
from smsmfa.senders.apprise import AppriseSender, AsyncAppriseSender
from smsmfa.senders.failover import AsyncFailoverSender, FailoverSender
from smsmfa.senders.http import AsyncHttpSender, HttpSender
from smsmfa.senders.sns import AsyncSnsSender, SnsSender
from smsmfa.senders.webhook import read_webhook
from smsmfa.testing import FakeClock
from smsmfa.typing import AsyncSender, Sender


def failover(twilio: TwilioSender, own: Sender) -> Sender:
    """Try one carrier after the other."""
    FailoverSender([twilio])
    FailoverSender((twilio, own), failures=3, pause=timedelta(minutes=1), clock=FakeClock())
    FailoverSender([AsyncConsoleSender()])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    return FailoverSender({"US": twilio, "IN": [own, twilio], "*": FailoverSender([twilio, own])})


def failover_of_tasks(own: AsyncSender) -> AsyncSender:
    """Do it in tasks."""
    AsyncFailoverSender([ConsoleSender()])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    return AsyncFailoverSender({"US": own, "*": [AsyncConsoleSender(), own]})


def http(timeout: timedelta) -> tuple[Sender, AsyncSender]:
    """Send through a gateway of one's own."""
    HttpSender("https://sms.example.com", b"a secret", timeout=timeout, clock=FakeClock())
    HttpSender("https://sms.example.com")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    return HttpSender("https://sms.example.com", "a secret"), AsyncHttpSender("https://sms.example.com", "a secret")


def gateway(body: bytes, headers: Mapping[str, str]) -> None:
    """Be that gateway."""
    assert_type(read_webhook(body, headers, "a secret"), dict[str, Any])
    read_webhook(body, headers, ["the new one", b"the old one"], tolerance=timedelta(minutes=1), clock=FakeClock())


def sns(timeout: timedelta) -> tuple[Sender, AsyncSender]:
    """Send with Amazon SNS."""
    SnsSender(region="eu-central-1", sender_id="Acme", from_number="+14155550106", endpoint_url=None, timeout=timeout)
    SnsSender("eu-central-1")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    return SnsSender(), AsyncSnsSender(session=None)


def apprise(timeout: timedelta) -> tuple[Sender, AsyncSender]:
    """Send with a service of Apprise's."""
    AppriseSender()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    return AppriseSender("vonage://KEY:SECRET@FROM/{to}", timeout=timeout), AsyncAppriseSender("vonage://...")
