"""The fakes, fixtures and strategies of the kit, used as tests use them. Only type checkers read this file."""

from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, assert_type

from hypothesis.strategies import SearchStrategy

from smsmfa import (
    AsyncMemoryStore,
    AsyncTwilioSender,
    AsyncVerifier,
    DeliveryRejected,
    DeliveryUncertain,
    Enroller,
    FactorConfig,
    MemoryStore,
    StoreContention,
    TwilioSender,
    Verifier,
)
from smsmfa.testing import (
    Answer,
    AsyncFaultyStore,
    AsyncRecordingSender,
    AsyncScriptedSender,
    AsyncSenderConformance,
    Carrier,
    FakeClock,
    FaultyStore,
    RecordingSender,
    ScriptedSender,
    SenderConformance,
    deterministic,
    strategies,
)
from smsmfa.testing.carrier import Exchange, Request, drip, drop, half, hang, kept, reset, stall
from smsmfa.typing import AsyncSender, Message, Receipt, Sender

clock = FakeClock(0)
clock.now = 5
clock.move(timedelta(minutes=1), seconds=-1)
assert_type(clock.datetime, datetime)

outbox = RecordingSender()
assert_type(outbox.messages, list[Message])
assert_type(outbox.last, Message)
assert_type(outbox.last_code, str)


def receipt(message: Message) -> Receipt:
    """Take a message."""
    return Receipt(message.challenge_id)


async def later(message: Message) -> Receipt:
    """Take a message, awaited."""
    return receipt(message)


ScriptedSender(Receipt(), DeliveryRejected("no such number"), DeliveryUncertain, receipt, then=TimeoutError)
AsyncScriptedSender(Receipt(), later, receipt)

store = FaultyStore(MemoryStore())
store.fail("after", call=2, error=StoreContention())
store.replay(meanwhile=outbox.messages.clear)
assert_type(store.planned, int)
waiting = AsyncFaultyStore(AsyncMemoryStore())
waiting.replay(meanwhile=lambda: waiting.read("key"))

seeded: AbstractContextManager[None] = deterministic(7)


def shells(config: FactorConfig) -> tuple[Enroller, Verifier, AsyncVerifier]:
    """Every fake is what a shell takes."""
    return (
        Enroller(config, store, outbox, clock=clock),
        Verifier(config, store, ScriptedSender(then=Receipt()), clock=clock),
        AsyncVerifier(config, waiting, AsyncRecordingSender(), clock=clock),
    )


class TestTwilio(SenderConformance):
    """A suite for a sender."""

    accepted = Answer(201, '{"sid": "SM1"}')
    rejected = None
    misconfigured = Answer(401)
    secrets = ("token",)

    def make_sender(self, url: str, timeout: timedelta) -> Sender:
        """Make one."""
        return TwilioSender(account_sid="AC", auth_token="token", from_number="Acme", timeout=timeout)


class TestAsyncTwilio(AsyncSenderConformance):
    """A suite for its twin."""

    def make_sender(self, url: str, timeout: timedelta) -> AsyncSender:
        """Make one."""
        return AsyncTwilioSender(account_sid="AC", auth_token="token", from_number="Acme", timeout=timeout)


def busy(exchange: Exchange) -> bool:
    """Answer as a busy carrier does."""
    Answer(429, headers=["Retry-After: 1"])(exchange)
    return False


with Carrier(
    busy, kept(Answer(200)), half(Answer(200)), stall(Answer(200)), drip(Answer(200)), hang, drop, reset
) as one:
    assert_type(one.url, str)
    assert_type(one.requests, list[Request])

assert_type(strategies.phone_numbers({"US"}), SearchStrategy[str])
assert_type(strategies.phone_aliases(), SearchStrategy[tuple[str, str]])
assert_type(strategies.hostile_phone_numbers(), SearchStrategy[object])
assert_type(strategies.codes(8), SearchStrategy[str])
assert_type(strategies.hostile_codes(8), SearchStrategy[object])
assert_type(strategies.user_ids(), SearchStrategy[Any])
assert_type(strategies.configs(attempts=3), SearchStrategy[FactorConfig])
