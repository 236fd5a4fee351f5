"""A failover sender tries another carrier only if the last one certainly did not send and was itself the reason."""

import asyncio
import json
import logging
import pickle
import threading
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import count

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from senders.calls import HANGS, Patient, patient
from support import NUMBER, Awaited, Coroutines, Factor, a_config, shown, wrong

from smsmfa import AsyncVerifier, CodeRejected, Verifier
from smsmfa.exceptions import (
    ConfigurationError,
    DeliveryError,
    DeliveryRejected,
    DeliveryUncertain,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
)
from smsmfa.phone import PhoneNumber
from smsmfa.senders.failover import AsyncFailoverSender, FailoverSender
from smsmfa.senders.http import AsyncHttpSender, HttpSender
from smsmfa.testing import (
    Answer,
    AsyncScriptedSender,
    AsyncSenderConformance,
    FakeClock,
    RecordingSender,
    ScriptedSender,
    SenderConformance,
)
from smsmfa.testing.threads import all_of, at_once
from smsmfa.typing import SMS, VOICE, WHATSAPP, Receipt

MESSAGE = SenderConformance.message
RECEIPT = Receipt("m1", "a carrier")
PAUSE = timedelta(seconds=30)
SECOND = timedelta(seconds=1)
#: Errors that have nothing to do with the recipient, after which the next carrier is tried.
OUTAGES = [
    DeliveryRejected("no connection", outage=True),
    SenderMisconfigured("no credit", outage=True),
    RateLimited("carrier"),
    RateLimited("carrier", SECOND),
]
#: The same, but they may be due to the recipient.
REFUSED = [
    DeliveryRejected("not this number"),
    SenderMisconfigured("not to this country"),
    RateLimited("carrier", SECOND, outage=False),
]
REFUSALS = [*OUTAGES, *REFUSED]
#: Errors that stop and are raised unchanged.
STOPS = [
    RecipientRejected("no such number"),
    RecipientOptedOut("STOP"),
    RateLimited("user", SECOND),
    DeliveryUncertain("late"),
]
#: Other errors after which the message may have been sent.
UNFORESEEN = [DeliveryError("?"), ConfigurationError("?"), TimeoutError("?"), RuntimeError("?"), ConnectionError]
#: Errors that count against a carrier, and those that do not.
COUNTED = [*OUTAGES, DeliveryUncertain("late"), UNFORESEEN[2], UNFORESEEN[4]]
UNCOUNTED = [*REFUSED, *STOPS[:3], DeliveryUncertain("?", outage=False), *UNFORESEEN[:2], UNFORESEEN[3]]

both = pytest.mark.parametrize("make", ["sync", "async"], indirect=True)


# The kit's suite. The first carrier is never there.

SECRET = "a secret that the gateway has too"
NOBODY = "http://127.0.0.1:9"


class Promises(Patient):
    accepted = Answer(202, '{"message_id": "m1"}')
    rejected = Answer(400, json.dumps({"error": f"{MESSAGE.to.e164} is not a mobile number"}))
    misconfigured = None
    secrets = (SECRET,)


class TestConformance(Promises, SenderConformance):
    def make_sender(self, url, timeout):
        return FailoverSender([HttpSender(NOBODY, SECRET), HttpSender(url, SECRET, timeout=timeout)])


class TestAsyncConformance(Promises, AsyncSenderConformance):
    def make_sender(self, url, timeout):
        carrier = patient(AsyncHttpSender(url, SECRET, timeout=timeout))
        return AsyncFailoverSender([AsyncHttpSender(NOBODY, SECRET), carrier])


class Deaf:
    """A carrier without state."""

    def send(self, message):
        """Return nothing."""


class Threads:
    """Makes and drives the senders for threads."""

    sender = FailoverSender
    script = ScriptedSender

    @staticmethod
    def send(sender, message=MESSAGE):
        return sender.send(message)


class Tasks:
    """Makes and drives the senders for asyncio."""

    sender = AsyncFailoverSender
    script = AsyncScriptedSender

    @staticmethod
    def send(sender, message=MESSAGE):
        return Awaited(sender).send(message)


@pytest.fixture
def make(request):
    """Return one of the two kinds."""
    return {"sync": Threads, "async": Tasks}[request.param]


def to(region, e164=NUMBER):
    """Return a message to a number of a country."""
    return attrs.evolve(MESSAGE, to=PhoneNumber(e164, region, "mobile"))


def each():
    """Yield messages to different numbers."""
    return (to("US", f"+1415555{number:04}") for number in count(100))


def outcome_of(kind, sender, message=MESSAGE):
    """Return the receipt or the error of a message."""
    try:
        return kind.send(sender, message)
    except Exception as error:
        return error


def counts(senders):
    """Return how many messages each carrier got."""
    return [len(sender.messages) for sender in senders]


# When another carrier is tried.


class TestOneMessage:
    @both
    def test_first_choice(self, make):
        """If the first carrier accepts the message, no other is tried."""
        senders = [make.script(RECEIPT), make.script()]

        assert RECEIPT == make.send(make.sender(senders))
        assert [1, 0] == counts(senders)

    @both
    @pytest.mark.parametrize("error", REFUSALS, ids=repr)
    def test_refusal(self, error, make):
        """If a carrier certainly did not send, and was itself the reason, the next one gets the same message."""
        senders = [make.script(error), make.script(error), make.script(RECEIPT), make.script()]

        assert RECEIPT == make.send(make.sender(senders))
        assert [1, 1, 1, 0] == counts(senders)
        assert all(sender.last is MESSAGE for sender in senders[:3])

    @both
    @pytest.mark.parametrize("error", STOPS, ids=repr)
    def test_stop(self, error, make):
        """T24: after a bad number, an opt-out, a fraud block or an unknown outcome no other carrier is tried."""
        senders = [make.script(DeliveryRejected("no")), make.script(error), make.script()]

        assert error is outcome_of(make, make.sender(senders))
        assert [1, 1, 0] == counts(senders)

    @both
    @pytest.mark.parametrize("error", UNFORESEEN, ids=repr)
    def test_unforeseen(self, error, make):
        """T24: an unforeseen error stops too, and is raised as DeliveryUncertain."""
        senders = [make.script(error), make.script()]

        outcome = outcome_of(make, make.sender(senders))

        assert DeliveryUncertain is type(outcome)
        assert [1, 0] == counts(senders)

    @both
    def test_no_receipt(self, make):
        """If a carrier returns no receipt, its result is passed on, and no other carrier is tried."""
        senders = [make.script(lambda message: None), make.script()]

        assert None is make.send(make.sender(senders))
        assert [1, 0] == counts(senders)

    @both
    def test_interrupted(self, make):
        """An interrupt is passed on, and no other carrier is tried."""
        senders = [make.script(KeyboardInterrupt), make.script()]

        with pytest.raises(KeyboardInterrupt):
            make.send(make.sender(senders))
        assert [1, 0] == counts(senders)

    async def test_cancelled(self):
        """A cancelled call tries no other carrier, and does not count as a failure."""

        async def busy(message):
            await asyncio.Event().wait()

        first, second = AsyncScriptedSender(then=busy), AsyncScriptedSender()
        sender = AsyncFailoverSender([first, second], failures=1)
        for _ in range(3):
            sending = asyncio.create_task(sender.send(MESSAGE))
            await asyncio.sleep(0)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending

        assert [3, 0] == counts([first, second])


# When no carrier accepts the message.

UNREACHABLE = DeliveryRejected("cannot be reached", outage=True)
FULL = DeliveryRejected("too many messages", outage=True)
BROKE, UNKNOWN = SenderMisconfigured("no credit", outage=True), SenderMisconfigured("no such token", outage=True)
LATER, SOON, SOMETIME = RateLimited("carrier", 60 * SECOND), RateLimited("carrier", SECOND), RateLimited("carrier")


class TestNobody:
    @both
    @pytest.mark.parametrize(
        "errors, expected",
        [
            ([UNREACHABLE], UNREACHABLE),
            ([UNREACHABLE, FULL], FULL),
            ([FULL, UNREACHABLE, BROKE], UNREACHABLE),
            ([BROKE, UNREACHABLE], UNREACHABLE),
            ([BROKE, UNKNOWN], UNKNOWN),
            ([SOON, UNREACHABLE, BROKE], SOON),
            ([LATER, SOON, LATER], SOON),
            ([SOMETIME, LATER], LATER),
            ([BROKE, SOMETIME, UNREACHABLE], SOMETIME),
        ],
    )
    def test_error(self, errors, expected, make):
        """The error is the shortest pause, else the last error that may pass, else the last one."""
        sender = make.sender([make.script(error) for error in errors])

        assert expected is outcome_of(make, sender)

    @both
    def test_passed_over(self, make):
        """A skipped carrier counts as one that asks for a pause until its next probe."""
        clock = FakeClock()
        first, second = make.script(BROKE), make.script(BROKE, BROKE)
        sender = make.sender([first, second], failures=1, clock=clock, pause=PAUSE)

        assert BROKE is outcome_of(make, sender)
        clock.move(seconds=10)
        error = outcome_of(make, sender)

        assert RateLimited is type(error)
        assert ("carrier", timedelta(seconds=20)) == (error.scope, error.retry_after)
        assert [1, 1] == counts([first, second])


# Countries.


class TestRoutes:
    @both
    @pytest.mark.parametrize(
        "region, expected",
        [("US", [1, 0, 0, 0]), ("IN", [0, 1, 0, 0]), ("DE", [0, 0, 1, 1]), ("CA", [0, 0, 1, 1]), ("001", [0, 0, 1, 1])],
    )
    def test_routes(self, region, expected, make):
        """The recipient's country decides the route. A country without its own uses the route of all others."""
        domestic, local, others = make.script(RECEIPT), make.script(RECEIPT), make.script(FULL)
        last = make.script(RECEIPT)
        sender = make.sender({"US": domestic, "IN": [local, others], "*": (others, last)})

        assert RECEIPT == make.send(sender, to(region))
        assert expected == counts([domestic, local, others, last])

    @both
    def test_no_country(self, make):
        """Numbers that belong to no country may have their own route."""
        satellite, others = make.script(RECEIPT), make.script()

        assert RECEIPT == make.send(make.sender({"001": satellite, "*": others}), to("001"))

    @both
    def test_no_route(self, make):
        """Nothing is sent to a country without a route."""
        only = make.script()

        error = outcome_of(make, make.sender({"US": only}), to("DE"))

        assert SenderMisconfigured is type(error)
        assert [0] == counts([only])

    @both
    def test_shared_breaker(self, make):
        """A carrier that failed on one route is skipped on the others."""
        shared, other = make.script(FULL), make.script(RECEIPT)
        sender = make.sender({"US": [shared], "*": [shared, other]}, failures=1)

        assert FULL is outcome_of(make, sender, to("US"))
        assert RECEIPT == make.send(sender, to("DE"))
        assert [1, 1] == counts([shared, other])

    @both
    def test_carriers(self, make):
        """The carriers of all routes are named once each."""
        first, second = make.script(), make.script()

        assert (first, second) == make.sender({"US": first, "*": [first, second]}).carriers

    @both
    def test_equal_is_not_same(self, make):
        """Two carriers that compare equal have separate breakers."""

        class Same(make.script):
            def __eq__(self, other):
                return True

            __hash__ = None

        senders = [Same(FULL), Same(RECEIPT)]

        assert RECEIPT == make.send(make.sender(senders, failures=1))
        assert [1, 1] == counts(senders)

    @both
    def test_later_changes(self, make):
        """Later changes of the arguments have no effect."""
        senders = [make.script(RECEIPT)]
        routes = {"US": senders}
        sender = make.sender(routes)
        senders.clear()
        routes.clear()

        assert RECEIPT == make.send(sender)


# Channels.


class TestChannels:
    @both
    def test_order(self, make):
        """Each country has its own order of channels and carriers. The next step is tried after a refusal."""
        first, second = make.script(FULL, RECEIPT, FULL, FULL), make.script(RECEIPT, FULL)
        steps = {"FR": [(VOICE, first), (SMS, second)], "*": [(SMS, first), (SMS, second), (VOICE, first)]}
        sender = make.sender(routes=steps)

        assert [RECEIPT] * 2 == [make.send(sender, to("FR")) for _ in range(2)]
        assert [VOICE, VOICE] == [message.channel for message in first.messages]
        assert [SMS] == [message.channel for message in second.messages]
        assert FULL is outcome_of(make, sender, to("US"))
        assert [SMS, VOICE] == [message.channel for message in first.messages[2:]]

    @both
    def test_call(self, make):
        """A call says the text of the SMS with the digits of the code apart, twice. The SMS is sent as it is."""
        only = make.script(FULL, RECEIPT)

        make.send(make.sender(routes={"*": [(SMS, only), (VOICE, only)]}))

        code = MESSAGE.code.reveal()
        sms, call = only.messages
        assert (MESSAGE, 2) == (sms, call.text.count(", ".join(code)))
        assert code not in call.text

    @both
    @pytest.mark.parametrize("channel, expected", [(SMS, [1, 0, 0]), (VOICE, [0, 1, 0]), (WHATSAPP, [0, 0, 1])])
    def test_asked_for(self, channel, expected, make):
        """A message that was asked for on another channel uses the steps of that channel, and is sent as it is."""
        senders = [make.script(RECEIPT) for _ in range(3)]
        sender = make.sender(routes={"*": list(zip((SMS, VOICE, WHATSAPP), senders, strict=True))})
        message = attrs.evolve(MESSAGE, channel=channel)

        assert RECEIPT == make.send(sender, message)
        assert expected == counts(senders)
        assert [message] == [one for each in senders for one in each.messages]

    @both
    def test_no_step(self, make):
        """A message is not sent if its country has no step for its channel."""
        only = make.script()

        for channel, region in ((VOICE, "US"), (WHATSAPP, "US"), (SMS, "DE")):
            message = attrs.evolve(to(region), channel=channel)
            assert SenderMisconfigured is type(outcome_of(make, make.sender(routes={"US": [(SMS, only)]}), message))
        assert [0] == counts([only])

    @both
    def test_stop(self, make):
        """T24: after an opt-out, a fraud block or an unknown outcome no call is made either."""
        for error in (RecipientOptedOut("STOP"), RecipientRejected("fraud"), DeliveryUncertain("late")):
            only = make.script(error)

            assert error is outcome_of(make, make.sender(routes={"*": [(SMS, only), (VOICE, only)]}))
            assert [1] == counts([only])

    @both
    def test_breakers(self, make):
        """A carrier whose calls fail is skipped for calls, and still sends SMS."""
        only = make.script(FULL, RECEIPT, RECEIPT)
        sender = make.sender(routes={"*": [(VOICE, only), (SMS, only)]}, failures=1)

        assert [RECEIPT] * 2 == [make.send(sender) for _ in range(2)]
        assert [VOICE, SMS, SMS] == [message.channel for message in only.messages]

    @both
    def test_names(self, make):
        """The repr names each step, and the carriers are named once."""
        only = make.script()
        sender = make.sender(routes={"FR": [(VOICE, only), (SMS, only)]})

        assert (only,) == sender.carriers
        assert (
            f"<{make.sender.__name__} FR: 1 ({make.script.__name__}) by voice, 1 ({make.script.__name__}) by sms>"
            == (repr(sender))
        )


# Carriers that fail several times in a row.


class TestBreaker:
    @both
    @pytest.mark.parametrize("error", COUNTED, ids=repr)
    def test_failures(self, error, make):
        """A carrier that failed for several numbers, uncertain outcomes included, is skipped for a while."""
        clock, messages = FakeClock(), each()
        first, second = make.script(error, error, error, RECEIPT, RECEIPT), make.script(then=RECEIPT)
        sender = make.sender([first, second], failures=3, pause=PAUSE, clock=clock)
        for _ in range(5):
            outcome_of(make, sender, next(messages))
        assert [3] == counts([first])

        clock.move(PAUSE)

        assert [RECEIPT, RECEIPT] == [make.send(sender, next(messages)) for _ in range(2)]
        assert [5] == counts([first])

    @both
    @pytest.mark.parametrize("error", UNCOUNTED, ids=repr)
    def test_recipients_fault(self, error, make):
        """An error that may be due to the recipient never makes a carrier skipped, for any number of recipients."""
        first, second, messages = make.script(then=error), make.script(then=RECEIPT), each()
        sender = make.sender([first, second], failures=1)

        for _ in range(9):
            outcome_of(make, sender, next(messages))

        assert [9] == counts([first])

    @both
    @pytest.mark.parametrize("error", COUNTED, ids=repr)
    def test_one_number(self, error, make):
        """Errors of one number never make a carrier skipped."""
        first, second = make.script(then=error), make.script(then=RECEIPT)
        sender = make.sender([first, second], failures=2)

        for _ in range(9):
            outcome_of(make, sender)

        assert [9] == counts([first])

    @both
    def test_both_refuse(self, make):
        """Two carriers that refuse the numbers of one user still get everybody else's messages."""
        messages = each()
        senders = [make.script(*[REFUSED[0]] * 9, RECEIPT), make.script(*[REFUSED[1]] * 9)]
        sender = make.sender(senders)

        assert [REFUSED[0]] * 9 == [outcome_of(make, sender, next(messages)) for _ in range(9)]
        assert RECEIPT == make.send(sender, next(messages))

    @both
    @pytest.mark.parametrize("first", [OUTAGES[0], OUTAGES[2], REFUSED[0]], ids=repr)
    @pytest.mark.parametrize("second", [OUTAGES[0], OUTAGES[2], REFUSED[0]], ids=repr)
    def test_nested_outage(self, first, second, make):
        """A failover sender has an outage only if all of its carriers have one; else its error says so."""
        all_out = first.outage and second.outage
        inner, last = make.sender([make.script(then=first), make.script(then=second)]), make.script(then=Receipt("m2"))
        sender, messages = make.sender([inner, last], failures=1), each()

        assert all_out == outcome_of(make, inner, next(messages)).outage
        outcome_of(make, sender, next(messages))
        inner.send = make.script(then=RECEIPT).send

        assert (RECEIPT == make.send(sender, next(messages))) is not all_out

    @both
    @pytest.mark.parametrize("error", [RateLimited("user"), KeyboardInterrupt()], ids=repr)
    def test_nobodys_fault(self, error, make):
        """The application's own limit, and an interrupt, say nothing about the carrier."""
        first, second, messages = make.script(FULL, error, FULL), make.script(then=RECEIPT), each()
        sender = make.sender([first, second], failures=2)
        for _ in range(3):
            with suppress(KeyboardInterrupt):
                outcome_of(make, sender, next(messages))

        assert RECEIPT == make.send(sender, next(messages))
        assert [3, 3] == counts([first, second])

    @both
    def test_channels(self, make):
        """A carrier that fails on one channel is still used on the others."""
        first, second = make.script(BROKE, RECEIPT, RECEIPT), make.script(then=RECEIPT)
        sender = make.sender([first, second], failures=1)
        for channel in (VOICE, VOICE, SMS, "pigeon"):
            assert RECEIPT == make.send(sender, attrs.evolve(MESSAGE, channel=channel))

        assert [VOICE, SMS, "pigeon"] == [message.channel for message in first.messages]
        assert [3, 2] == counts([first, second])

    @both
    def test_default(self, make):
        """By default a carrier is skipped after failures for five numbers."""
        first, second, messages = make.script(then=FULL), make.script(then=RECEIPT), each()
        sender = make.sender([first, second])

        assert [RECEIPT] * 7 == [make.send(sender, next(messages)) for _ in range(7)]
        assert [5] == counts([first])

    def test_one_probe(self):
        """While one thread tries a carrier again the others go to the next one."""
        clock, answer = FakeClock(), threading.Event()

        def slow(message):
            answer.wait(HANGS)
            return RECEIPT

        first, second = ScriptedSender(FULL, slow), ScriptedSender(then=Receipt("m2"))
        sender = FailoverSender([first, second], failures=1, pause=PAUSE, clock=clock)
        sender.send(MESSAGE)
        clock.move(PAUSE)

        def send():
            receipt = sender.send(MESSAGE)
            if len(second.messages) == 8:
                answer.set()
            return receipt

        receipts = Counter(all_of(at_once([send] * 8, HANGS)))

        assert {RECEIPT: 1, Receipt("m2"): 7} == receipts

    async def test_one_probe_of_tasks(self):
        """While one task tries a carrier again the others go to the next one."""
        clock, answer = FakeClock(), asyncio.Event()

        async def slow(message):
            await answer.wait()
            return RECEIPT

        first, second = AsyncScriptedSender(FULL, slow), AsyncScriptedSender(then=Receipt("m2"))
        sender = AsyncFailoverSender([first, second], failures=1, pause=PAUSE, clock=clock)
        await sender.send(MESSAGE)
        clock.move(PAUSE)

        probe = asyncio.create_task(sender.send(MESSAGE))
        await asyncio.sleep(0)
        assert [Receipt("m2")] * 7 == await asyncio.gather(*(sender.send(MESSAGE) for _ in range(7)))
        answer.set()

        assert RECEIPT == await probe


# Random carriers, random outcomes.

#: The possible outcomes of a message.
UNSENT = [*REFUSALS, *STOPS[:3]]
ENDINGS = [RECEIPT, COUNTED[4], *UNSENT, *UNFORESEEN]
#: Up to four carriers, and what each does with its next messages.
scripts = st.lists(st.lists(st.sampled_from(ENDINGS), min_size=12, max_size=12), min_size=1, max_size=4)
#: Seconds between one message and the next, and the number that it is for.
gaps = st.lists(st.tuples(st.sampled_from([0, 1, 29, 30, 31]), st.integers(1, 5)), min_size=1, max_size=12)


def among(outcome, others):
    """Return whether an outcome is one of others."""
    return any(outcome is other for other in others)


def asked(script, states, failures, now, who):
    """Predict, without the sender's code, which carriers get the next message, and the outcome of each."""
    did = []
    for number, state in enumerate(states):
        if now < state["probes"].get(who, state["until"]):
            continue
        outcome = script[number][state["messages"]]
        state["messages"] += 1
        did.append((number, outcome))
        failing = state["probes"] if state["until"] else state["row"]
        if outcome is RECEIPT:
            state |= {"until": 0, "row": set(), "probes": {}}
        elif among(outcome, COUNTED):
            failing |= {who: now + 30} if state["until"] else {who}
            if len(failing) >= (min(failures, 2) if state["until"] else failures):
                state |= {"until": now + 30, "row": set(), "probes": {}}
        if not among(outcome, REFUSALS):
            break
    return did


@pytest.mark.parametrize("kind", [Threads, Tasks])
@given(script=scripts, gaps=gaps, failures=st.integers(1, 4))
def test_scripts(kind, script, gaps, failures):
    """T24: no other carrier gets a message that may have been sent, and its outcome is reported."""
    clock, log = FakeClock(), []
    senders = [
        kind.script(*(partial(play, log, number, outcome) for outcome in outcomes))
        for number, outcomes in enumerate(script)
    ]
    sender = kind.sender(senders, failures=failures, pause=PAUSE, clock=clock)
    states, now = [{"messages": 0, "row": set(), "until": 0, "probes": {}} for _ in script], 1
    for gap, who in gaps:
        clock.move(seconds=gap)
        now += gap
        log.clear()
        outcome = outcome_of(kind, sender, to("US", f"+1415555010{who}"))

        assert asked(script, states, failures, now, who) == log
        assert [] == [each for _, each in log[:-1] if not among(each, REFUSALS)]
        last = log[-1][1] if log else None
        if last is None or among(last, REFUSALS):
            assert isinstance(outcome, DeliveryRejected | RateLimited)
        elif among(last, UNFORESEEN):
            assert DeliveryUncertain is type(outcome)
        else:
            assert outcome is last


def play(log, number, outcome, message):
    """Return or raise the outcome, and note it."""
    log.append((number, outcome))
    if isinstance(outcome, Receipt):
        return outcome
    raise outcome


# One user, and the others.

#: The errors that a carrier raises for the numbers of one user.
MINE = st.lists(st.sampled_from(UNCOUNTED), min_size=1, max_size=6)
#: Seconds, and whom the next message is for: a number of the user, of which the first gets no answer, or somebody else.
acts = st.lists(st.tuples(st.sampled_from([0, 1, 29, 30, 31]), st.integers(0, 20) | st.none()), max_size=40)


class Judging:
    """A carrier that sends to everybody but one user, unless it is out of order."""

    def __init__(self, kind, silence, errors):
        self.errors = [silence, *(errors * 20)[:20]]
        self.out, self.others = True, 0
        self.sender = kind.script(then=self.answer)

    def answer(self, message):
        """Fail for everybody during an outage, and always for the numbers of one user."""
        if self.out:
            raise OUTAGES[0]
        if message.to.region == "CA":
            raise self.errors[int(message.to.e164[-2:])]
        self.others += 1
        return RECEIPT


@pytest.mark.parametrize("kind", [Threads, Tasks])
@given(
    errors=st.lists(MINE, min_size=1, max_size=2), acts=acts, silence=st.sampled_from(COUNTED), was_out=st.booleans()
)
def test_one_user(kind, errors, acts, silence, was_out):
    """T29: Whatever one user does, the messages of others reach a carrier as often as without that user.

    Carriers refuse as many numbers as the user likes, and do not answer for one of them. It holds after an outage too.
    """
    reached = []
    for present in (True, False):
        clock, others = FakeClock(), each()
        carriers = [Judging(kind, silence, own) for own in errors]
        sender = kind.sender([carrier.sender for carrier in carriers], failures=2, pause=PAUSE, clock=clock)
        for _ in range(2 if was_out else 0):
            outcome_of(kind, sender, next(others))
        clock.move(PAUSE)
        for carrier in carriers:
            carrier.out = False
        for gap, number in acts:
            clock.move(seconds=gap)
            if number is None:
                assert RECEIPT == outcome_of(kind, sender, next(others))
            elif present:
                outcome_of(kind, sender, to("CA", f"+141655501{number:02}"))
        reached.append([carrier.others for carrier in carriers])

    assert reached[0] == reached[1]


# The whole factor.


class TestFactor:
    @pytest.mark.parametrize("kind", [Threads, Tasks])
    def test_one_charge_one_code(self, kind):
        """However many carriers are tried, a message has one code and one charge, or no charge if none sent it."""
        factor = Factor(a_config())
        factor.enrol()
        before = factor.verifier.status("alice").sends_left
        first, second, last = kind.script(FULL, FULL), kind.script(BROKE, FULL), kind.script(RECEIPT, FULL)
        shared = factor.config, factor.store
        senders = kind.sender([first, second, last])
        if kind is Threads:
            verifier = Verifier(*shared, senders, clock=factor.clock)
        else:
            verifier = Awaited(AsyncVerifier(factor.config, Coroutines(factor.store), senders, clock=factor.clock))

        challenge = verifier.challenge("alice")

        assert (True, False) == (challenge.sent, challenge.uncertain)
        assert 1 == len({sender.last_code for sender in (first, second, last)})
        assert before - 1 == verifier.status("alice").sends_left
        with pytest.raises(CodeRejected):
            verifier.verify("alice", challenge.id, wrong(last.last_code))
        assert "alice" == verifier.verify("alice", challenge.id, last.last_code).user_id

        with pytest.raises(DeliveryRejected):
            verifier.challenge("alice")
        assert before - 1 == verifier.status("alice").sends_left

    def test_uncertain(self):
        """After an unknown outcome the message is charged, and its code stays valid."""
        factor = Factor(a_config())
        factor.enrol()
        first = ScriptedSender(TimeoutError)
        verifier = Verifier(factor.config, factor.store, FailoverSender([first, ScriptedSender()]), clock=factor.clock)

        challenge = verifier.challenge("alice")

        assert challenge.uncertain
        assert "alice" == verifier.verify("alice", challenge.id, first.last_code).user_id


# What it reveals.


class TestSecrets:
    @both
    @pytest.mark.parametrize("error", [*REFUSALS, *UNFORESEEN], ids=repr)
    def test_errors(self, error, make, caplog):
        """T12: neither the error nor the log has the code, the text, the number, or the text of an unforeseen error."""
        caplog.set_level(logging.DEBUG)
        told = f"{MESSAGE.text} to {MESSAGE.to.e164}"
        raised = error if error in REFUSALS else type(error)(told) if isinstance(error, Exception) else error(told)
        outcome = outcome_of(make, make.sender([make.script(raised)]))

        text = shown(outcome) + caplog.text
        assert [] == [secret for secret in (MESSAGE.code.reveal(), "kumquat", MESSAGE.to.e164[2:]) if secret in text]
        assert None is outcome.__context__

    @both
    def test_log(self, make, caplog):
        """Each failure of a carrier is logged, even if another carrier sends the message."""
        sender = make.sender([make.script(BROKE, TimeoutError("x")), make.script(RECEIPT)], failures=2)

        make.send(sender, to("US"))
        outcome_of(make, sender, to("CA", "+14165550134"))

        name = f"1 ({make.script.__name__})"
        assert [
            ("smsmfa", logging.WARNING, f"carrier {name}: SenderMisconfigured"),
            ("smsmfa", logging.WARNING, f"carrier {name}: TimeoutError; it is skipped for a while"),
        ] == caplog.record_tuples

    @both
    def test_codes_of_carriers(self, make, caplog):
        """Each carrier's own code is logged, and the error that is raised keeps its own."""
        first = DeliveryRejected("no", carrier="twilio", carrier_code="21612")
        last = SenderMisconfigured("no", carrier="sns", carrier_code="OptInRequired", outage=True)
        sender = make.sender([make.script(first), make.script(last)])

        error = outcome_of(make, sender)

        name = make.script.__name__
        assert [
            f"carrier 1 ({name}): DeliveryRejected, code 21612",
            f"carrier 2 ({name}): SenderMisconfigured, code OptInRequired",
        ] == caplog.messages
        assert ("twilio", "21612") == (error.carrier, error.carrier_code)

    @both
    def test_carrier_without_a_word(self, make):
        """An unforeseen error, and a carrier that is skipped, name the carrier by its place and its class."""
        sender = make.sender([make.script(TimeoutError("x"))], failures=1)

        assert [f"1 ({make.script.__name__})"] * 2 == [outcome_of(make, sender).carrier for _ in range(2)]

    @both
    def test_repr(self, make):
        """The repr shows the routes and the classes of the carriers, and not the carriers' own reprs."""
        first, second = make.script(), make.script()
        name = make.script.__name__

        assert f"<{make.sender.__name__} *: 1 ({name})>" == repr(make.sender([first]))
        shown = repr(make.sender({"US": first, "*": [second, first]}))
        assert f"<{make.sender.__name__} US: 1 ({name}); *: 2 ({name}), 1 ({name})>" == shown

    def test_pickle(self):
        """It cannot be pickled, because its breakers are shared."""
        with pytest.raises(TypeError, match="lock"):
            pickle.dumps(FailoverSender([Deaf()]))


# Configuration.

ONE = ScriptedSender()


class TestConfiguration:
    @pytest.mark.parametrize(
        "senders, options, words",
        [
            ([], {}, "senders: give a list of senders, or a mapping from country codes"),
            ({}, {}, "senders: give at least one route"),
            (ONE, {}, "senders: give a list"),
            (None, {}, "senders: give a list"),
            ({ONE}, {}, "senders: give a list"),
            ("US", {}, "senders: give a list"),
            ({"US": []}, {}, "senders: give a list"),
            ([ONE, ONE], {}, "senders: the same sender is twice"),
            ({"US": ONE, "*": [ONE, ONE]}, {}, "senders: the same sender is twice"),
            ([ONE, ScriptedSender], {}, "senders['*']: ScriptedSender is a class"),
            ([ONE, None], {}, "senders['*']: it has no method send()"),
            ({"US": [ONE], "DE": "x"}, {}, "senders['DE']: it has no method send()"),
            ([[ONE]], {}, "senders['*']: it has no method send()"),
            ([AsyncScriptedSender()], {}, "senders['*']: send() must be sync"),
            ({"us": ONE}, {}, "senders: 'us' is neither an ISO country code such as 'US' nor '*'"),
            ({"USA": ONE}, {}, "senders: 'USA' is neither"),
            ({"UK": ONE}, {}, "senders: 'UK' is neither"),
            ({1: ONE}, {}, "senders: 1 is neither"),
            ({None: ONE, "*": ONE}, {}, "senders: None is neither"),
            ([ONE], {"failures": 0}, "failures: an int, at least 1"),
            ([ONE], {"failures": True}, "failures: an int, at least 1"),
            ([ONE], {"failures": 1.5}, "failures: an int, at least 1"),
            ([ONE], {"pause": timedelta(0)}, "pause: a timedelta above zero, at most one day"),
            ([ONE], {"pause": timedelta(days=1, microseconds=1)}, "pause: a timedelta"),
            ([ONE], {"pause": 30}, "pause: a timedelta"),
            ([ONE], {"clock": 7}, "clock: "),
            ([ONE], {"clock": lambda: 1.5}, "clock: "),
        ],
    )
    def test_wrong(self, senders, options, words):
        """A wrong argument is found when the sender is made."""
        with pytest.raises(ConfigurationError) as caught:
            FailoverSender(senders, **options)
        assert "<FailoverSender >" in shown(caught.value)
        assert str(caught.value).startswith(words)

    def test_wrong_kind(self):
        """A sender for threads is refused by the sender for asyncio."""
        with pytest.raises(ConfigurationError, match="must be async here"):
            AsyncFailoverSender([RecordingSender()])

    @both
    def test_nested(self, make):
        """A failover sender may be one of the carriers."""
        inner = make.sender({"DE": make.script()})

        assert RECEIPT == make.send(make.sender([inner, make.script(RECEIPT)]), to("US"))
