"""The checks and charges of decisions."""

from datetime import timedelta

import pytest
from support import NUMBER, OTHER_NUMBER, THIRD_NUMBER, Records, a_config, wrong

from smsmfa import (
    AlreadyEnrolled,
    CodeExpired,
    CodeGenerator,
    CodeRejected,
    Limit,
    Limits,
    Locked,
    NotEnrolled,
    PhoneInUse,
    PhoneNumberError,
    ProofRequired,
    RateLimited,
)
from smsmfa.core import decisions, rules
from smsmfa.core.book import Book
from smsmfa.core.opaque import Opaque
from smsmfa.core.operation import Operation
from smsmfa.core.proofs import Proof
from smsmfa.core.records import Issued, Number, Pending, Phone, Total, User, decode, encode, number_key, user_key

HOUR, SECOND_US, HOUR_US, DAY_US = timedelta(hours=1), 10**6, 3600 * 10**6, 86400 * 10**6
NOW = Records().now
NUMBERS = [int(number[1:]) for number in (NUMBER, OTHER_NUMBER)]


def phone(phone_id="phone", number=NUMBER, **fields):
    """Return a number of a user."""
    return Phone(phone_id, int(number[1:]), "US", "mobile", **fields)


def issued(challenge_id="challenge", purpose="login", phone_id="phone", *, config=None, at=NOW, **fields):
    """Return a challenge that was made at ``at``."""
    key_id = (config or a_config()).keys.newest.key_id
    fields = {"created": at, "expires": at + 300 * SECOND_US, "sent": at} | fields
    return Issued(id=challenge_id, key_id=key_id, purpose=purpose, phone_id=phone_id, details=(), locale=None, **fields)


def book(user=None, *, config=None, now=NOW, numbers=None, total=None):
    """Return the records of alice, her number and another one."""
    operation = Operation("challenge", config or a_config(), "alice", now, "verification")
    keys, values = {number: number_key(number) for number in NUMBERS}, {}
    for number, record in (numbers or {}).items():
        values[number_key(int(number[1:]))] = encode(record)
    if total is not None:
        values["t:total"] = encode(total)
    user = decode(User, encode(user or User()))
    return Book(operation.config, operation.now, operation.user_key, user, keys, values)


def limits(**arguments):
    """Return a configuration with these limits."""
    return a_config(limits=Limits(**arguments))


def told(refusal):
    """Return the scope and the wait of a refusal."""
    assert isinstance(refusal, RateLimited)
    return refusal.scope, refusal.retry_after


class TestSpent:
    """An empty guess budget."""

    def test_guesses_left(self):
        """While a guess is left, nothing is refused or charged."""
        user = User(guesses=NOW + HOUR_US)
        records = book(user, config=limits(guesses=Limit(2, HOUR)))

        assert (None, NOW + HOUR_US) == (rules.guesses_refusal(records), records.user.guesses)

    def test_none_left(self):
        """An empty budget is refused with the exact wait."""
        records = book(User(guesses=NOW + HOUR_US + 5), config=limits(guesses=Limit(2, HOUR)))

        assert ("guesses", timedelta(microseconds=5)) == told(rules.guesses_refusal(records))

    def test_clamp(self):
        """T17: a budget that is more than empty is stored as just empty."""
        records = book(User(guesses=NOW + 9 * HOUR_US), config=limits(guesses=Limit(2, HOUR)))

        assert ("guesses", HOUR) == told(rules.guesses_refusal(records))
        assert NOW + 2 * HOUR_US == records.user.guesses


class TestUnproven:
    """A proof for a change."""

    def test_no_number(self):
        """A user without a number needs no proof."""
        assert rules.proof_refusal(book(), None) is None

    @pytest.mark.parametrize(
        "proof, good",
        [
            (None, False),
            (Proof(NOW, b"3", True), True),
            (Proof(NOW, b"3", False), False),
            (Proof(NOW, b"2", True), False),
            (Proof(NOW, b"", True), False),
            (Proof(NOW - 600 * SECOND_US, b"3", True), True),
            (Proof(NOW - 600 * SECOND_US - 1, b"3", True), False),
            (Proof(NOW + 60 * SECOND_US, b"3", True), True),
            (Proof(NOW + 60 * SECOND_US + 1, b"3", True), False),
        ],
    )
    def test_number(self, proof, good):
        """R17: a proof must allow changes, match the numbers, and be at most 10 minutes old or a minute early."""
        refusal = rules.proof_refusal(book(User(phones=[phone()], stamp=b"3")), proof)

        assert good == (refusal is None)
        assert good != isinstance(refusal, ProofRequired)


class TestToReplace:
    """The number that a new one replaces."""

    TWO = [phone("first"), phone("second", OTHER_NUMBER)]
    DISABLED = [phone("first", disabled=True), phone("second", OTHER_NUMBER)]

    @pytest.mark.parametrize(
        "phones, most, number, replace, expected",
        [
            ([], 1, NUMBER, None, None),
            ([], 1, NUMBER, "nobody's", NotEnrolled),
            ([phone("first")], 1, NUMBER, None, AlreadyEnrolled),
            ([phone("first", disabled=True)], 1, NUMBER, None, "first"),
            ([phone("first")], 1, NUMBER, "first", "first"),
            ([phone("first")], 1, OTHER_NUMBER, None, "first"),
            ([phone("first")], 2, NUMBER, None, AlreadyEnrolled),
            ([phone("first")], 2, OTHER_NUMBER, None, None),
            ([phone("first")], 2, NUMBER, "first", "first"),
            (TWO, 2, THIRD_NUMBER, None, AlreadyEnrolled),
            (TWO, 2, THIRD_NUMBER, "second", "second"),
            (TWO, 2, NUMBER, "second", AlreadyEnrolled),
            (TWO, 1, THIRD_NUMBER, None, "first"),
            (TWO, 1, OTHER_NUMBER, None, AlreadyEnrolled),
            (DISABLED, 2, NUMBER, None, "first"),
            (DISABLED, 3, NUMBER, None, "first"),
            (DISABLED, 2, NUMBER, "second", "second"),
        ],
    )
    def test_cases(self, phones, most, number, replace, expected):
        """A new number replaces the named one, the only one, or itself if disabled; otherwise there must be room."""
        found = rules.replaced_or_refusal(
            book(User(phones=phones), config=a_config(max_phones=most)), int(number[1:]), replace
        )

        assert expected == (type(found) if isinstance(found, Exception) else found)


class TestSharedNumbers:
    """Which users have a number."""

    @pytest.mark.parametrize(
        "most, others, refused", [(1, 0, False), (1, 1, True), (2, 1, False), (2, 2, True), (0, 9, False)]
    )
    @pytest.mark.parametrize("own", [False, True])
    def test_in_use(self, most, others, refused, own):
        """R16: a number is refused if it has as many other users as allowed."""
        holders = [b"%d" % other for other in range(others)]
        records = book(config=a_config(max_users_per_number=most))
        holders += [records.holder] if own else []
        records.number(NUMBERS[0]).holders = holders

        assert refused == isinstance(rules.in_use_refusal(records, NUMBERS[0]), PhoneInUse)

    def test_let_go(self):
        """R19: removing numbers drops their challenges, and their records forget only this user."""
        challenges = [issued("first", phone_id="first"), issued("second", phone_id="second")]
        user = User(phones=[phone("first"), phone("second", OTHER_NUMBER)], issued=challenges)
        records = book(user)
        for number in NUMBERS:
            records.number(number).holders = [b"bob", records.holder]
        decisions._release(records, [records.user.phones[0]])

        assert (["second"], ["second"]) == (
            [one.id for one in records.user.phones],
            [one.id for one in records.user.issued],
        )
        assert [[b"bob"], [b"bob", records.holder]] == [records.number(number).holders for number in NUMBERS]


class TestFind:
    """Numbers and challenges by their ids."""

    USER = User(
        phones=[phone("off", disabled=True), phone("on", OTHER_NUMBER)],
        issued=[issued("first", "login", "off"), issued("second", "payment", "on")],
        pending=Pending(issued("third", "enrollment", "waits"), phone("waits")),
    )

    def test_phone(self):
        """An enrolled number is found by its id, and a pending one is not."""
        assert [0, 1] == [self.USER.phones.index(rules.find_phone(self.USER, name)) for name in ("off", "on")]
        assert rules.find_phone(self.USER, "waits") is None

    def test_issued(self):
        """A challenge is found by its id, unless it is for an enrolment."""
        assert [0, 1] == [self.USER.issued.index(rules.find_challenge(self.USER, name)) for name in ("first", "second")]
        assert rules.find_challenge(self.USER, "third") is None

    def test_purpose(self):
        """A challenge is found by its purpose, unless it is for an enrolment."""
        assert ["first", "second"] == [rules.find_by_purpose(self.USER, name).id for name in ("login", "payment")]
        assert rules.find_by_purpose(self.USER, "enrollment") is None

    @pytest.mark.parametrize(
        "phone_id, expected", [(None, "on"), ("on", "on"), ("off", Locked), ("waits", NotEnrolled)]
    )
    def test_recipient(self, phone_id, expected):
        """R6: a message goes to the number that is named, or to the first that is not disabled."""
        found = rules.recipient_or_refusal(a_config(), self.USER, phone_id)

        assert expected == (found.id if isinstance(found, Phone) else type(found))

    def test_no_recipient(self):
        """A user without numbers is not enrolled, and a user with only disabled ones is locked."""
        assert isinstance(rules.recipient_or_refusal(a_config(), User(), None), NotEnrolled)
        assert isinstance(rules.recipient_or_refusal(a_config(), User(phones=[phone(disabled=True)]), None), Locked)

    def test_dropped_region(self):
        """T23: a number in a country that the configuration dropped is skipped for another one, or refused."""
        config = a_config(regions={"CA"})
        canadian = Phone("ca", 16135550123, "CA", "mobile")

        assert "region" == rules.recipient_or_refusal(config, User(phones=[phone()]), None).reason
        assert canadian is rules.recipient_or_refusal(config, User(phones=[phone(), canadian]), None)
        assert isinstance(
            rules.recipient_or_refusal(config, User(phones=[phone(), canadian]), "phone"), PhoneNumberError
        )

    @pytest.mark.parametrize("phone_id, expected", [("on", "on"), ("off", Locked), ("waits", NotEnrolled)])
    def test_answered(self, phone_id, expected):
        """A code is good while its number is enrolled and not disabled."""
        found = rules.phone_or_refusal(self.USER, phone_id)

        assert expected == (found.id if isinstance(found, Phone) else type(found))

    def test_about(self):
        """A transaction covers the numbers that its decision will ask for, and no others."""

        def phone_to(phone_id):
            return [one.id for one in rules.locate_phone(self.USER, phone_id, a_config())]

        def phone_of(challenge_id):
            return [one.id for one in rules.locate_challenge(self.USER, challenge_id, a_config())]

        assert (["on"], []) == (phone_to(None), phone_to("off"))
        assert (["on"], [], []) == (phone_of("second"), phone_of("first"), phone_of("x"))
        assert ["waits"] == [one.id for one in rules.locate_pending(self.USER)]
        assert [] == rules.locate_pending(User())
        assert ["off", "on", "waits"] == [one.id for one in rules.locate_all(self.USER)]


class TestChallenges:
    """The life of a challenge."""

    def test_issue(self):
        """A challenge begins now, under the newest secret, and ends after the lifetime, with no attempt used."""
        config = a_config(lifetime=timedelta(minutes=1), resend_gap=timedelta(0))
        made = rules.new_challenge(book(config=config), "id", "login", phone(), (("amount", "10"),), "fr", "voice")

        assert (NOW, NOW, NOW + 60 * SECOND_US, 0) == (made.created, made.sent, made.expires, made.attempts)
        assert (config.keys.newest.key_id, "phone", (("amount", "10"),), "fr", "voice") == (
            made.key_id, made.phone_id, made.details, made.locale, made.channel,
        )  # fmt: skip

    @pytest.mark.parametrize(
        "after, attempts, expected",
        [
            (0, 0, None),
            (300 * SECOND_US - 1, 4, None),
            (300 * SECOND_US, 0, CodeExpired),
            (300 * SECOND_US, 5, CodeExpired),
            (0, 5, CodeRejected),
            (-60 * SECOND_US, 0, None),
            (-60 * SECOND_US - 1, 0, CodeExpired),
        ],
    )
    def test_closed(self, after, attempts, expected):
        """R2, T1, T17: a challenge is open from a minute before it was made to its expiry, while attempts are left."""
        records, challenge = book(now=NOW + after), issued(attempts=attempts)
        refusal = rules.closed_refusal(records, challenge)

        assert expected == (type(refusal) if refusal else None)
        assert (expected is None) == rules.is_alive(records, challenge)
        assert expected is None or 0 == refusal.attempts_left

    def test_retired_secret(self):
        """R12: a challenge under a retired secret is closed."""
        retired = issued(config=a_config(secret="another secret of the tests, now retired"))

        assert isinstance(rules.closed_refusal(book(), retired), CodeExpired)

    @pytest.mark.parametrize(
        "after, attempts, expected",
        [(0, 0, True), (30 * SECOND_US - 1, 0, True), (30 * SECOND_US, 0, False), (0, 5, False)],
    )
    def test_within_gap(self, after, attempts, expected):
        """The gap begins with the last message, lasts as configured, and belongs to a live challenge."""
        challenge = issued(at=NOW - 60 * SECOND_US, sent=NOW, attempts=attempts)

        assert expected == rules.is_within_gap(book(now=NOW + after), challenge)

    def test_renewable(self):
        """A dead challenge can be asked for again until a day after its expiry."""
        last = NOW + 300 * SECOND_US + DAY_US

        assert (True, False) == tuple(rules.is_renewable(book(now=now), issued()) for now in (last - 1, last))


class TestSending:
    """A message is reserved."""

    def test_reserve(self):
        """R28: one message is charged to the user, the number and the total."""
        records = book(config=limits(total=Limit(3, None)), total=Total(sends=-1))

        assert rules.charge_message(records, NUMBERS[0], confirmed=True) is None
        assert [NOW + HOUR_US, NOW + HOUR_US, -2] == [
            one.record.sends for one in records.send_buckets(NUMBERS[0], confirmed=True)
        ]
        assert 0 == records.number(NUMBERS[1]).sends

    def test_refusal_charges_nothing(self):
        """R28: a refusal charges no bucket, not even those that have a message left."""
        config = limits(user=Limit(2, HOUR), number=Limit(1, HOUR), total=Limit(3, None))
        records = book(User(sends=NOW + 60), config=config, numbers={NUMBER: Number(sends=NOW + 90)})

        assert ("number", timedelta(microseconds=90)) == told(rules.charge_message(records, NUMBERS[0], confirmed=True))
        assert [NOW + 60, NOW + 90, 0] == [one.record.sends for one in records.send_buckets(NUMBERS[0], confirmed=True)]

    @pytest.mark.parametrize(
        "user, number, total, expected",
        [(3, 2, 1, "user"), (1, 3, 2, "number"), (1, 2, 3, "total"), (3, 2, None, "total"), (2, 2, 2, "user")],
    )
    def test_longest_wait(self, user, number, total, expected):
        """The longest wait of several refusals is reported, and an endless wait is the longest."""
        config = limits(
            user=Limit(1, HOUR * user), number=Limit(1, HOUR * number), total=Limit(1, total and HOUR * total)
        )
        records = book(config=config)
        assert rules.charge_message(records, NUMBERS[0], confirmed=True) is None

        scope, wait = told(rules.charge_message(records, NUMBERS[0], confirmed=True))
        assert (expected, None if total is None else HOUR * max(user, number, total)) == (scope, wait)

    def test_clamp(self):
        """T17: a refusal stores every bucket that is more than empty as just empty."""
        config = limits(user=Limit(2, HOUR), number=Limit(3, HOUR), total=Limit(4, HOUR))
        far = NOW + 99 * HOUR_US
        records = book(User(sends=far), config=config, numbers={NUMBER: Number(sends=far)}, total=Total(sends=far))
        refusal = rules.charge_message(records, NUMBERS[0], confirmed=True)

        assert HOUR == refusal.retry_after
        buckets = records.send_buckets(NUMBERS[0], confirmed=True)
        assert [NOW + capacity * HOUR_US for capacity in (2, 3, 4)] == [one.record.sends for one in buckets]

    def test_put_in_place(self):
        """R5: a new challenge replaces the old one, and all that can no longer be renewed."""
        old, other = issued("old"), issued("other", "payment", at=NOW - DAY_US)
        gone = issued("gone", "manage", at=NOW - DAY_US - 300 * SECOND_US)
        records = book(User(issued=[old, other, gone]))
        stored = records.user.issued[0]
        reply = decisions._replace(records, stored, issued("new"), phone())

        assert ["other", "new"] == [challenge.id for challenge in records.user.issued]
        assert ("new", True, stored, None) == (reply.issued.id, reply.sent, reply.displaced, reply.before)

    def test_put_in_place_is_bounded(self):
        """T19: a record holds 32 challenges, and drops the oldest for a new one."""
        records = book(User(issued=[issued(str(n), str(n)) for n in range(32)]))
        decisions._replace(records, None, issued("new"), phone())

        assert (32, "1", "new") == (len(records.user.issued), records.user.issued[0].id, records.user.issued[-1].id)

    def test_repeat(self):
        """R4: a repeated message starts the gap anew, and changes neither expiry nor attempts."""
        challenge = issued(at=NOW - 30 * SECOND_US, attempts=3)
        reply = decisions._repeat(book(), challenge, phone(), None, confirmed=True)

        assert (True, NOW, (NOW - 30 * SECOND_US, "sms")) == (reply.sent, challenge.sent, reply.before)
        assert (NOW + 270 * SECOND_US, 3) == (challenge.expires, challenge.attempts)

    @pytest.mark.parametrize("ahead, expected", [(60 * SECOND_US, 90 * SECOND_US), (60 * SECOND_US + 1, 0)])
    def test_gap_after_a_clock_was_set_back(self, ahead, expected):
        """T17: a message from more than a minute in the future has no gap, so no clock can stretch the gap."""
        assert NOW + expected == rules.gap_end(a_config(), issued(at=NOW, sent=NOW + ahead), NOW)

    def test_repeat_within_gap(self):
        """Within the gap a repetition is refused before any limit, with the exact wait."""
        records = book(User(sends=NOW + HOUR_US), config=limits(user=Limit(1, HOUR)))

        assert ("resend", timedelta(seconds=29)) == told(
            decisions._repeat(records, issued(at=NOW - SECOND_US), phone(), None, confirmed=True)
        )

    def test_repeat_at_the_end_of_the_gap(self):
        """A repetition is refused until the microsecond at which the gap ends."""
        challenge = issued(at=NOW - 30 * SECOND_US)
        early = decisions._repeat(book(now=NOW - 1), challenge, phone(), None, confirmed=True)

        assert ("resend", timedelta(microseconds=1)) == told(early)
        assert decisions._repeat(book(), challenge, phone(), None, confirmed=True).sent

    def test_repeat_is_limited(self):
        """R28: after the gap the limits can refuse a repetition, and then the gap does not change."""
        records = book(User(sends=NOW + HOUR_US), config=limits(user=Limit(1, HOUR)))
        challenge = issued(at=NOW - 30 * SECOND_US)

        assert ("user", HOUR) == told(decisions._repeat(records, challenge, phone(), None, confirmed=True))
        assert NOW - 30 * SECOND_US == challenge.sent


class TestComparing:
    """A code is compared."""

    @staticmethod
    def code(records, challenge, kind="verification", number=NUMBER):
        """Return the code of a challenge."""
        return records.config.code(records.user_key, kind, challenge, int(number[1:]))

    def test_right(self):
        """R7, T3: a right code uses an attempt and gives its guess back."""
        records, challenge = book(User(guesses=NOW + 7)), issued()
        code = self.code(records, challenge)

        assert rules.charge_and_compare(records, "verification", challenge, phone(), Opaque(code))
        assert (1, NOW + 7) == (challenge.attempts, records.user.guesses)

    def test_wrong(self):
        """T1, T3: a wrong code uses an attempt and a guess."""
        records, challenge = book(config=limits(guesses=Limit(5, HOUR))), issued()
        code = wrong(self.code(records, challenge))

        assert not rules.charge_and_compare(records, "verification", challenge, phone(), Opaque(code))
        assert (1, NOW + HOUR_US) == (challenge.attempts, records.user.guesses)

    def test_wrong_again(self):
        """Each wrong code uses one more attempt."""
        records, challenge = book(), issued(attempts=2)
        code = wrong(self.code(records, challenge))
        rules.charge_and_compare(records, "verification", challenge, phone(), Opaque(code))

        assert 3 == challenge.attempts

    def test_reserves_before_comparing(self, monkeypatch):
        """T3: the attempt and the guess are charged before the code is derived."""
        records, challenge, seen = book(), issued(), []

        def is_code(records, kind, challenge, number, code):
            seen.append((challenge.attempts, records.user.guesses > NOW))
            return False

        monkeypatch.setattr(rules, "is_code", is_code)
        rules.charge_and_compare(records, "verification", challenge, phone(), Opaque("123456"))

        assert [(1, True)] == seen

    def test_bound(self):
        """R5, T8: a code is right only for its user, kind, challenge, purpose, details and number."""
        records, challenge = book(), issued()
        code = Opaque(self.code(records, challenge))
        altered = [issued("other"), issued(purpose="payment"), issued()]
        altered[2].details = (("amount", "10"),)

        assert rules.is_code(records, "verification", challenge, NUMBERS[0], code)
        assert not rules.is_code(records, "enrollment", challenge, NUMBERS[0], code)
        assert not rules.is_code(records, "verification", challenge, NUMBERS[1], code)
        assert [False] * 3 == [rules.is_code(records, "verification", other, NUMBERS[0], code) for other in altered]
        records.user_key = user_key("bob")
        assert not rules.is_code(records, "verification", challenge, NUMBERS[0], code)

    @pytest.mark.parametrize("attempts, guesses, left", [(1, 20, 4), (5, 20, 0), (1, 2, 2), (1, 0, 0)])
    def test_attempts_left(self, attempts, guesses, left):
        """The attempts left are the smaller of the challenge's and the budget's."""
        records = book(User(guesses=guesses - 20), config=limits(guesses=Limit(20, None)))

        assert left == rules.wrong_code(records, issued(attempts=attempts)).attempts_left

    def test_unknown(self, monkeypatch):
        """R11: an unknown challenge is refused after the same work as a known one, and costs nothing."""
        derived, derive = [], CodeGenerator.code

        def code(self, *context):
            derived.append(context)
            return derive(self, *context)

        monkeypatch.setattr(CodeGenerator, "code", code)
        records = book()
        refusal = rules.unknown_challenge(records, Opaque("123456"))

        assert (0, 1, 0) == (refusal.attempts_left, len(derived), records.user.guesses)


def test_no_number_is_confirmed():
    """The confirmed numbers of a user are those of the record, also disabled ones."""
    user = User(phones=[Phone("one", int(NUMBER[1:]), "US", "mobile", disabled=True)])

    assert [True, False] == [rules.is_confirmed(user, int(number[1:])) for number in (NUMBER, OTHER_NUMBER)]


def test_refunds():
    """Refunds are counted, and refused after too many."""
    records = Records(a_config(limits=Limits(refunds=Limit(2, timedelta(hours=1)))))

    assert [True, True, False] == [records.run(rules.charge_refund) for _ in range(3)]


def test_full_guess_budget():
    """An unused budget refuses nothing."""
    assert Records().run(rules.guesses_refusal) is None
