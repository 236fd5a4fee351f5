"""Each decision is a pure function from stored values, input and time to new values and an outcome."""

from datetime import timedelta
from functools import partial

import pytest
from support import NUMBER, OTHER_NUMBER, THIRD_NUMBER, Records, a_config, wrong

from smsmfa import (
    AlreadyEnrolled,
    CodeExpired,
    CodeRejected,
    CodeUsed,
    Limit,
    Limits,
    Locked,
    NotEnrolled,
    PhoneInUse,
    PhoneNumberError,
    ProofRequired,
    RateLimited,
)
from smsmfa.core import decisions
from smsmfa.core.opaque import Opaque
from smsmfa.core.operation import Operation
from smsmfa.core.proofs import Proof
from smsmfa.core.records import Number, Phone, User, decode, encode, number_key
from smsmfa.core.request import Request, hashes_of

SECOND, HOUR, DAY = 10**6, 3600 * 10**6, 86400 * 10**6
ONE_AN_HOUR = Limit(1, timedelta(hours=1))


def phone(phone_id="phone", number=NUMBER, **fields):
    """Return a number of a user."""
    return Phone(phone_id, int(number[1:]), "US", "mobile", **fields)


class World(Records):
    """The records of alice, and every decision about them with usual arguments."""

    def __init__(self, *phones, **arguments):
        super().__init__(a_config(**arguments))
        if phones:
            self.put(User(phones=list(phones), recovery=[b"recovery"], stamp=b"before"))

    def alter(self, **fields):
        """Set fields of alice's record."""
        user = self.user()
        for name, value in fields.items():
            setattr(user, name, value)
        self.put(user)

    def number(self, number=NUMBER):
        """Return the record of a number."""
        return decode(Number, self.values.get(number_key(int(number[1:]))))

    def holders(self, number=NUMBER):
        """Return how many users a number's record names."""
        return len(self.number(number).holders)

    def proof(self):
        """Return a proof that is good now."""
        return Proof(self.now, self.user().stamp, True)

    def start(self, number=NUMBER, *, new_id="new", replace=None, proof=None, channel="sms"):
        begin = partial(decisions.start, new_id=new_id, phone=phone(f"phone of {new_id}", number), replace=replace)
        return self.run(partial(begin, proof=proof or self.proof(), locale="fr", channel=channel))

    def resend_pending(self, challenge_id="new", *, new_id="newer", channel=None):
        return self.run(partial(decisions.resend_pending, new_id=new_id, challenge_id=challenge_id, channel=channel))

    def confirm(self, challenge_id="new", *, right=True, recovery=(b"fresh",), retry_key=None):
        pending = self.user().pending
        code = self.code("enrollment", pending.issued, pending.phone) if pending else "123456"
        request = self.request("confirm", challenge_id, code if right else wrong(code), retry_key)
        return self.run(partial(decisions.confirm, request=request, recovery=list(recovery), stamp=b"after"))

    def challenge(self, *, new_id="new", phone_id=None, purpose="login", details=(), channel="sms"):
        begin = partial(decisions.challenge, new_id=new_id, phone_id=phone_id, purpose=purpose)
        return self.run(partial(begin, details=details, locale="fr", channel=channel))

    def resend(self, challenge_id="new", *, new_id="newer", channel=None):
        return self.run(partial(decisions.resend, new_id=new_id, challenge_id=challenge_id, channel=channel))

    def verify(self, challenge_id="new", *, right=True, purpose="login", details=(), retry_key=None):
        issued = next((issued for issued in self.user().issued if issued.id == challenge_id), None)
        to = next((to for to in self.user().phones if issued and to.id == issued.phone_id), None)
        code = self.code("verification", issued, to) if to else "123456"
        code = code if right else wrong(code)
        request = self.request("verify", challenge_id, code, retry_key, purpose=purpose, details=details)
        return self.run(partial(decisions.verify, request=request))

    def recover(self, hashed=b"recovery", *, retry_key=None):
        request = self.request("recover", hashed.hex(), hashed.hex(), retry_key)
        return self.run(partial(decisions.recover, request=request, hashed=hashed, replacement=b"replaced"))

    def settle(self, reply, *, excused=False):
        return self.run(partial(decisions.settle, reply=reply, excused=excused))

    def request(self, kind, of, code, retry_key=None, **about):
        """Return a request with a code, as a shell makes it."""
        key = Opaque(retry_key) if retry_key else None
        return Request(self.config.keys, self.user_key, Opaque(code), kind, of, key, b"seed" if key else b"", **about)

    def code(self, kind, issued, to):
        """Return the code of a challenge."""
        return self.config.code(self.user_key, kind, issued, to.number)

    @property
    def user_key(self):
        return Operation("", self.config, "alice", self.now).user_key

    def seen(self):
        """Return alice's record, with a bucket that is full by now as 0."""
        user = self.user()
        user.sends = user.sends if user.sends > self.now else 0
        return user

    @property
    def pending_id(self):
        """The id of the challenge for the pending number."""
        return self.user().pending and self.user().pending.issued.id

    @property
    def ids(self):
        """The ids of the challenges in the record."""
        return [issued.id for issued in self.user().issued]


def spent(world):
    """Empty the guess budget."""
    world.config = a_config(limits=Limits(guesses=ONE_AN_HOUR))
    world.alter(guesses=world.now + HOUR)
    return world


class TestRules:
    """Rules for every decision."""

    @pytest.mark.parametrize("name", ["start", "resend_pending", "confirm", "challenge", "resend", "verify"])
    def test_budget_first(self, name):
        """An empty guess budget is reported first and alone, with its wait, and nothing is written."""
        world = spent(World())
        before = dict(world.values)
        refusal = getattr(world, name)()

        assert ("guesses", timedelta(hours=1)) == (refusal.scope, refusal.retry_after)
        assert before == world.values

    @pytest.mark.parametrize(
        "name", ["start", "resend_pending", "confirm", "challenge", "resend", "verify", "recover", "remove", "reset"]
    )
    def test_pure(self, name):
        """R25: a decision that runs again on the same values returns the same."""
        world = World(phone())
        world.challenge()
        world.start(OTHER_NUMBER)
        world.now += 30 * SECOND
        if name == "start":
            world.start = partial(world.start, THIRD_NUMBER, new_id="another")
        if name == "remove":
            world.remove = lambda: world.run(
                partial(decisions.remove, phone_id="phone", proof=world.proof(), stamp=b"after")
            )
        world.reset = lambda: world.run(decisions.reset)
        stored, outcomes, results = dict(world.values), [], []
        for _ in range(2):
            world.values = dict(stored)
            outcomes.append(getattr(world, name)())
            results.append(world.values)

        assert results[0] == results[1]
        assert type(outcomes[0]) is type(outcomes[1])
        assert stored != results[0]

    @pytest.mark.parametrize("name", ["resend_pending", "confirm", "challenge", "resend", "verify", "remove"])
    def test_about(self, name):
        """A decision about a number names the number for the audit trail, also if it refuses."""
        world = World(phone())
        if name in {"resend_pending", "confirm"}:
            world.start(OTHER_NUMBER)
        elif name in {"resend", "verify"}:
            world.challenge()
        world.remove = lambda: world.run(
            partial(decisions.remove, phone_id="phone", proof=world.proof(), stamp=b"after")
        )
        getattr(world, name)()

        assert ("phone of new" if name in {"resend_pending", "confirm"} else "phone") == world.about.id


class TestStart:
    """A number becomes pending."""

    def test_dropped_region(self):
        """T23: if a configuration drops a country, its pending and enrolled numbers get no messages."""
        world = World(phone())
        world.challenge()
        world.start(OTHER_NUMBER, new_id="another")
        world.config, world.now = a_config(regions={"CA"}), world.now + 30 * SECOND

        for refusal in world.challenge(), world.resend(), world.resend_pending("another"):
            assert ("region", PhoneNumberError) == (refusal.reason, type(refusal))

    def test_waits(self):
        """R17, T9: a number is pending beside the enrolled ones, which do not change, and one message is charged."""
        world = World(phone())
        reply = world.start(OTHER_NUMBER)
        user = world.user()

        assert ("new", "enrollment", "fr") == (reply.issued.id, reply.issued.purpose, reply.issued.locale)
        assert (True, None, None) == (reply.sent, reply.displaced, reply.before)
        assert ([phone()], "phone of new", "phone") == (user.phones, user.pending.phone.id, user.pending.replaces)
        assert world.now + HOUR == user.sends

    def test_refusals(self):
        """The checks come in this order: proof, replaced number, the user's own numbers, limits, other users."""
        world = World(phone(), max_phones=2, max_users_per_number=1, limits=Limits(user=ONE_AN_HOUR))
        world.values[number_key(int(OTHER_NUMBER[1:]))] = encode(Number(holders=[b"bob"]))
        world.alter(sends=world.now + HOUR)
        expected = [
            (ProofRequired, {"proof": Proof(world.now, b"", True), "replace": "nobody's"}),
            (NotEnrolled, {"replace": "nobody's"}),
            (AlreadyEnrolled, {}),
            (RateLimited, {"number": OTHER_NUMBER}),
            (PhoneInUse, {"number": OTHER_NUMBER}),
        ]
        for error, arguments in expected[:4]:
            assert error is type(world.start(**arguments))
        world.alter(sends=0)

        assert PhoneInUse is type(world.start(**expected[4][1]))
        assert world.pending_id is None

    def test_in_use_is_charged(self):
        """T31: if others have the number, the user is charged a message, so a look-up is not free."""
        world = World(max_users_per_number=1)
        world.values[number_key(int(NUMBER[1:]))] = encode(Number(holders=[b"bob"]))

        assert PhoneInUse is type(world.start())
        assert (world.now + HOUR, 0) == (world.user().sends, world.number().unverified)

    def test_again(self):
        """Within the gap the same number gets no second message, and will replace the number that was named last."""
        world = World(phone("one"), phone("two", OTHER_NUMBER), max_phones=2)
        world.start(THIRD_NUMBER, replace="one")
        reply = world.start(THIRD_NUMBER, replace="two", new_id="other")

        assert ("new", "phone of new", False) == (reply.issued.id, reply.phone.id, reply.sent)
        assert ("two", world.now + HOUR) == (world.user().pending.replaces, world.user().sends)

    @pytest.mark.parametrize("number, later", [(OTHER_NUMBER, 0), (NUMBER, 30 * SECOND)])
    def test_displaces(self, number, later):
        """Another number at once, or the same one after the gap, replaces the pending number and remembers it."""
        world = World()
        world.start()
        waited = world.user().pending
        world.now += later
        reply = world.start(number, new_id="other")

        assert ("other", waited) == (world.pending_id, reply.displaced)


class TestResendPending:
    """The message to the pending number is repeated or renewed."""

    def test_repeats(self):
        """After the gap the same challenge is repeated."""
        world = World()
        world.start()
        before = world.now
        world.now += 30 * SECOND
        reply = world.resend_pending()

        assert ("new", True, (before, "sms")) == (reply.issued.id, reply.sent, reply.before)
        assert world.now == world.user().pending.issued.sent

    def test_unknown(self):
        """A resend without a pending number, or of another challenge, is rejected."""
        world = World()
        assert CodeRejected is type(world.resend_pending())
        world.start()

        assert CodeRejected is type(world.resend_pending("other"))

    def test_renews(self):
        """While the user has no number, a dead challenge is renewed with its language and the number to replace."""
        world = World()
        world.start()
        dead = world.user().pending
        dead.replaces = "gone"
        world.alter(pending=dead)
        world.now += 300 * SECOND
        reply = world.resend_pending()
        renewed = world.user().pending

        assert ("newer", "enrollment", "fr") == (reply.issued.id, reply.issued.purpose, reply.issued.locale)
        assert (True, dead.phone, dead) == (reply.sent, reply.phone, reply.displaced)
        assert ("newer", dead.phone, "gone") == (renewed.issued.id, renewed.phone, renewed.replaces)

    @pytest.mark.parametrize("phones, later", [([phone()], 300 * SECOND), ([], 300 * SECOND + DAY)])
    def test_not_renewed(self, phones, later):
        """A dead challenge is not renewed after a day, or if the user has an enrolled number."""
        world = World(*phones)
        world.start(OTHER_NUMBER)
        world.now += later

        assert CodeExpired is type(world.resend_pending())
        assert "new" == world.pending_id

    def test_renewal_is_asked_about(self):
        """A renewal is refused if others now have the number, or if a limit is empty."""
        world = World(max_users_per_number=1)
        world.start()
        world.now += 300 * SECOND
        key = number_key(int(NUMBER[1:]))
        free = world.values[key]
        world.values[key] = encode(Number(holders=[b"bob"]))
        assert PhoneInUse is type(world.resend_pending())
        world.values[key] = free
        world.config = a_config(limits=Limits(user=Limit(1, timedelta(days=1))))

        assert RateLimited is type(world.resend_pending())


class TestConfirm:
    """A pending number becomes the user's."""

    def test_first(self):
        """The first number gives recovery codes and a new stamp, and its record names the user."""
        world = World()
        world.start()
        enrolled = world.confirm()
        user = world.user()

        assert (b"after", True, "phone of new") == (enrolled.stamp, enrolled.shows_codes, enrolled.phone.id)
        assert ([b"fresh"], b"after", None, world.now) == (
            user.recovery,
            user.stamp,
            user.pending,
            user.phones[0].enrolled_at,
        )
        assert (0, 1) == (user.guesses, world.holders())

    def test_replaces(self):
        """A replacement takes the place of the old number, gives no recovery codes, and frees the old number."""
        world = World(phone("one"), phone("two", OTHER_NUMBER), max_phones=2)
        world.values[number_key(int(NUMBER[1:]))] = encode(Number(holders=[world.user_key[2:].encode()]))
        world.start(THIRD_NUMBER, replace="one")
        enrolled = world.confirm()

        assert ["phone of new", "two"] == [one.id for one in world.user().phones]
        assert (b"after", False, [b"recovery"]) == (enrolled.stamp, enrolled.shows_codes, world.user().recovery)
        assert (0, 1) == (world.holders(), world.holders(THIRD_NUMBER))

    def test_no_recovery_codes(self):
        """If the configuration has no recovery codes, a user gets none."""
        world = World(recovery_codes=0)
        world.start()

        assert (False, []) == (world.confirm(recovery=()).shows_codes, world.user().recovery)

    def test_no_limit_of_users(self):
        """R16: if any number of users may share a number, its record does not name them."""
        world = World(max_users_per_number=0)
        world.start()
        world.confirm()

        assert (1, 0) == (len(world.user().phones), world.holders())

    def test_wrong(self):
        """T1: a wrong code costs an attempt and a guess, and the number stays pending."""
        world = World()
        world.start()

        assert 4 == world.confirm(right=False).attempts_left
        assert (1, True) == (world.user().pending.issued.attempts, world.user().guesses > world.now)

    def test_unknown_and_closed(self):
        """A challenge that is unknown or too old is refused and costs nothing."""
        world = World()
        assert CodeRejected is type(world.confirm())
        world.start()
        assert CodeRejected is type(world.confirm("other"))
        world.now += 300 * SECOND

        assert CodeExpired is type(world.confirm())
        assert (0, "new") == (world.user().guesses, world.pending_id)

    def test_faster_others(self):
        """If others took the number first, the code is used anyway and its guess is given back."""
        world = World(max_users_per_number=1)
        world.start()
        world.values[number_key(int(NUMBER[1:]))] = encode(Number(holders=[b"bob"]))

        assert PhoneInUse is type(world.confirm())
        assert (None, [], 0) == (world.pending_id, world.user().phones, world.user().guesses)

    @pytest.mark.parametrize("most", [1, 2])
    def test_no_room(self, most):
        """If the user has no room left for a number, the code is used anyway; a replacement needs no room."""
        world = World(phone("one"), phone("two", OTHER_NUMBER), max_phones=3)
        more, fewer = world.config, a_config(max_phones=most)
        for replace, expected in (None, AlreadyEnrolled), ("one", decisions.Enrolled):
            world.config = more
            world.start(THIRD_NUMBER, replace=replace)
            world.config = fewer
            assert expected is type(world.confirm())
            assert world.pending_id is None


class TestAdopt:
    """A number that was verified elsewhere becomes the user's."""

    @staticmethod
    def adopt(world, number=NUMBER, *, replace=None, recovery=(b"fresh",)):
        """Adopt a number, without a proof."""
        adopted = phone("adopted", number)
        return world.run(
            partial(decisions.adopt, phone=adopted, replace=replace, recovery=list(recovery), stamp=b"after")
        )

    def test_first(self):
        """The first number gives recovery codes and a new stamp, and costs nothing."""
        world = World()
        enrolled = self.adopt(world)
        user = world.user()

        assert (b"after", True, "adopted") == (enrolled.stamp, enrolled.shows_codes, enrolled.phone.id)
        assert ("adopted", world.now) == (user.phones[0].id, user.phones[0].enrolled_at)
        assert ([b"fresh"], b"after", 0, 0) == (user.recovery, user.stamp, user.sends, user.guesses)
        assert 1 == world.holders()
        assert (b"", 0, b"") == (enrolled.answer.about, enrolled.answer.at, enrolled.answer.mark)

    @pytest.mark.parametrize("replace", [None, "same", "gone"])
    def test_again(self, replace):
        """A number that the user already has does not change, so a loop over all users can run twice."""
        world = World(phone("other", OTHER_NUMBER), phone("same"), max_phones=2)
        before = world.user()
        enrolled = self.adopt(world, replace=replace)

        assert (b"", False, "same", "same") == (
            enrolled.stamp,
            enrolled.shows_codes,
            enrolled.phone.id,
            world.about and world.about.id,
        )
        assert (b"", 0) == (enrolled.answer.about, enrolled.answer.at)
        assert before == world.user()

    def test_nothing_to_replace(self):
        """An empty id names no number to replace, whatever the ids of the user's numbers are."""
        world = World(phone("XXXX", OTHER_NUMBER), phone("same"), max_phones=2)

        assert "same" == self.adopt(world, replace="").phone.id

    def test_disabled(self):
        """A disabled number is replaced by itself, and works again."""
        world = World(phone("same", disabled=True, failures=100))
        enrolled = self.adopt(world)

        assert (b"after", False) == (enrolled.stamp, enrolled.shows_codes)
        assert [("adopted", False, 0)] == [(one.id, one.disabled, one.failures) for one in world.user().phones]

    def test_replaces(self):
        """An adopted number replaces the named one, keeps the recovery codes, and drops a pending number."""
        world = World(phone("one"), phone("two", OTHER_NUMBER), max_phones=2)
        world.start(THIRD_NUMBER, replace="one")
        enrolled = self.adopt(world, THIRD_NUMBER, replace="two")

        assert ["one", "adopted"] == [one.id for one in world.user().phones]
        assert (None, [b"recovery"]) == (world.pending_id, world.user().recovery)
        assert (b"after", False, "adopted") == (enrolled.stamp, enrolled.shows_codes, enrolled.phone.id)

    def test_merges(self):
        """If an enrolled number replaces another number of the user, one of the two is left."""
        world = World(phone("one"), phone("two", OTHER_NUMBER, disabled=True), max_phones=2)
        self.adopt(world, OTHER_NUMBER, replace="one")

        assert ["adopted"] == [one.id for one in world.user().phones]

    def test_own_number_and_another(self):
        """An enrolled number cannot replace another one."""
        world = World(phone("one"), phone("two", OTHER_NUMBER), max_phones=2)
        before = world.user()

        assert AlreadyEnrolled is type(self.adopt(world, OTHER_NUMBER, replace="one"))
        assert before == world.user()

    def test_refused(self):
        """A number is refused if the number to replace is unknown, if there is no room, or if others have it."""
        world = World(phone("one"), phone("two", OTHER_NUMBER), max_phones=2, max_users_per_number=1)
        world.start(THIRD_NUMBER, replace="one")
        before = world.user()

        assert NotEnrolled is type(self.adopt(world, THIRD_NUMBER, replace="gone"))
        assert AlreadyEnrolled is type(self.adopt(world, THIRD_NUMBER))
        world.values[number_key(int(THIRD_NUMBER[1:]))] = encode(Number(holders=[b"bob"]))
        assert PhoneInUse is type(self.adopt(world, THIRD_NUMBER, replace="one"))
        assert before == world.user()


class TestPrefer:
    """A number becomes the first."""

    def test_first(self):
        """Codes then go to the preferred number, the other numbers keep their order, and proofs stay valid."""
        world = World(phone("one"), phone("two", OTHER_NUMBER), phone("three", THIRD_NUMBER), max_phones=3)
        prefer = partial(decisions.prefer, phone_id="three", proof=world.proof())

        assert isinstance(world.run(prefer), decisions.Done)
        assert ["three", "one", "two"] == [one.id for one in world.user().phones]
        assert ("three", b"before") == (world.about and world.about.id, world.user().stamp)
        assert "three" == world.challenge().issued.phone_id

    def test_refused(self):
        """R17: nothing changes without a proof, or if the user does not have the number."""
        world = World(phone("one"), phone("two", OTHER_NUMBER), max_phones=2)
        before = world.user()

        assert ProofRequired is type(world.run(partial(decisions.prefer, phone_id="two", proof=None)))
        assert NotEnrolled is type(world.run(partial(decisions.prefer, phone_id="no", proof=world.proof())))
        assert before == world.user()


class TestChanges:
    """Numbers and recovery codes are dropped or drawn anew."""

    def test_remove(self):
        """R19, T2: a removal changes the stamp and keeps the buckets; the last one drops the recovery codes."""
        world = World(phone("one"), phone("two", OTHER_NUMBER))
        world.alter(sends=world.now + HOUR, guesses=world.now + HOUR)
        for phone_id, recovery in ("one", [b"recovery"]), ("two", []):
            remove = partial(decisions.remove, phone_id=phone_id, proof=world.proof(), stamp=b"after")
            assert isinstance(world.run(remove), decisions.Done)
            assert recovery == world.user().recovery

        user = world.user()
        assert ([], b"after", world.now + HOUR, world.now + HOUR) == (user.phones, user.stamp, user.sends, user.guesses)

    def test_remove_refused(self):
        """R17: nothing is removed without a proof, or if the number is unknown."""
        world = World(phone())

        assert ProofRequired is type(world.run(partial(decisions.remove, phone_id="phone", proof=None, stamp=b"after")))
        assert NotEnrolled is type(
            world.run(partial(decisions.remove, phone_id="other", proof=world.proof(), stamp=b"after"))
        )
        assert (1, b"before") == (len(world.user().phones), world.user().stamp)

    def test_new_recovery_codes(self):
        """R20, R21: new recovery codes replace the old ones, if the user has a number and a proof."""
        world = World(phone())
        request = world.request("new recovery codes", "", "token")
        draw = partial(decisions.new_recovery_codes, request=request, recovery=[b"fresh"])
        assert ProofRequired is type(world.run(partial(draw, proof=None)))
        assert [b"recovery"] == world.user().recovery
        assert isinstance(world.run(partial(draw, proof=world.proof())), decisions.Renewed)

        assert ([b"fresh"], b"before") == (world.user().recovery, world.user().stamp)
        assert NotEnrolled is type(World().run(partial(draw, proof=None)))

    def test_reset(self):
        """R19, T2: a reset leaves only the buckets."""
        world = World(phone())
        world.challenge()
        world.start(OTHER_NUMBER)
        world.alter(guesses=world.now + HOUR, recoveries=world.now + HOUR)
        expected = User(sends=world.now + 2 * HOUR, guesses=world.now + HOUR, recoveries=world.now + HOUR)

        assert isinstance(world.run(decisions.reset), decisions.Done)
        assert expected == world.user()

    def test_reset_of_pending(self):
        """A reset drops a pending number."""
        world = World()
        world.start()
        world.run(decisions.reset)

        assert (None, 0) == (world.pending_id, world.user().stamp)

    def test_reset_of_nobody(self):
        """A reset of an unknown user writes nothing."""
        world = World()
        world.run(decisions.reset)

        assert {} == world.values

    def test_unlock(self):
        """R6: an unlock refills the guess and recovery buckets, and changes nothing else."""
        world = World(phone(disabled=True, failures=100))
        before = world.user()
        world.alter(guesses=world.now + HOUR, recoveries=world.now + HOUR)

        assert isinstance(world.run(decisions.unlock), decisions.Done)
        assert before == world.user()


class TestChallenge:
    """A code is made for a purpose."""

    def test_makes(self):
        """A challenge names the number and is charged."""
        world = World(phone())
        reply = world.challenge(details=(("amount", "10"),))

        assert ("new", "fr", "phone", True) == (reply.issued.id, reply.issued.locale, reply.phone.id, reply.sent)
        assert (["new"], world.now + HOUR) == (world.ids, world.user().sends)

    @pytest.mark.parametrize("phones, expected", [([], NotEnrolled), ([phone(disabled=True)], Locked)])
    def test_refused(self, phones, expected):
        """R6: a user whose numbers are all disabled gets no challenge."""
        assert expected is type(World(*phones).challenge())

    def test_again(self):
        """Within the gap, a challenge with the same purpose, number and details is the live one."""
        world = World(phone())
        world.challenge()
        reply = world.challenge(new_id="other")

        assert ("new", "phone", False, ["new"]) == (reply.issued.id, reply.phone.id, reply.sent, world.ids)

    @pytest.mark.parametrize("arguments", [{"details": (("amount", "10"),)}, {"phone_id": "two"}])
    def test_something_else(self, arguments):
        """R5: a challenge with other details or another number has no gap and replaces the old one."""
        world = World(phone(), phone("two", OTHER_NUMBER))
        world.challenge()
        reply = world.challenge(new_id="other", **arguments)

        assert (True, "new", ["other"]) == (reply.sent, reply.displaced.id, world.ids)

    def test_other_purpose(self):
        """Another purpose has its own challenge."""
        world = World(phone())
        world.challenge()
        world.challenge(new_id="other", purpose="payment")

        assert ["new", "other"] == world.ids


class TestResend:
    """A challenge is repeated or renewed."""

    def test_repeats(self):
        """After the gap the same challenge is repeated."""
        world = World(phone())
        world.challenge()
        world.now += 30 * SECOND
        reply = world.resend()

        assert ("new", True, (world.now - 30 * SECOND, "sms")) == (reply.issued.id, reply.sent, reply.before)

    def test_renews(self):
        """A dead challenge is renewed with its number, purpose, details and language."""
        world = World(phone())
        old = world.challenge(purpose="payment", details=(("amount", "10"),)).issued
        world.now += 300 * SECOND
        reply = world.resend()
        new = reply.issued

        assert (["newer"], phone()) == (world.ids, reply.phone)
        assert (old.purpose, old.details, old.locale, old.phone_id) == (
            new.purpose,
            new.details,
            new.locale,
            new.phone_id,
        )

    def test_same_number(self):
        """A repeated message goes to the number of the first one, not to the user's first number."""
        world = World(phone(), phone("two", OTHER_NUMBER))
        world.challenge(phone_id="two")
        world.now += 30 * SECOND

        assert "two" == world.resend().phone.id

    def test_refused(self):
        """A resend is refused if the challenge is unknown, dead for a day, or went to a disabled number."""
        world = World(phone())
        assert CodeRejected is type(world.resend())
        world.challenge()
        world.now += 300 * SECOND + DAY
        assert CodeExpired is type(world.resend())
        world.alter(phones=[phone(disabled=True)])

        assert Locked is type(world.resend())

    def test_repetition_without_a_message_left(self):
        """If no message is left, a live challenge is not repeated and does not change."""
        world = World(phone(), limits=Limits(user=ONE_AN_HOUR))
        world.challenge()
        before = world.user()
        world.now += 30 * SECOND
        refusal = world.resend()

        assert (RateLimited, "user") == (type(refusal), refusal.scope)
        assert before == world.user()

    @pytest.mark.parametrize("again", ["challenge", "resend"])
    def test_without_a_message_left(self, again):
        """If no message is left, no new challenge is made and the old one does not change."""
        world = World(phone(), limits=Limits(user=ONE_AN_HOUR))
        world.challenge()
        world.now += 300 * SECOND
        refusal = world.challenge(new_id="newer") if again == "challenge" else world.resend()

        assert (RateLimited, "user", timedelta(minutes=55)) == (type(refusal), refusal.scope, refusal.retry_after)
        assert ["new"] == world.ids


class TestVerify:
    """A code is compared."""

    def test_right(self):
        """R3, R7: a right code consumes its challenge, resets the failures in a row, and gives its guess back."""
        world = World(phone(failures=7))
        world.challenge()
        accepted = world.verify()
        user = world.user()

        assert (b"before", [], 0, 0) == (accepted.stamp, user.issued, user.guesses, user.phones[0].failures)
        assert world.now == user.phones[0].last_used_at
        assert CodeUsed is type(world.verify())

    def test_wrong(self):
        """T1: a wrong code costs an attempt, a guess and a failure in a row."""
        world = World(phone(failures=7))
        world.challenge()

        assert 4 == world.verify(right=False).attempts_left
        assert (1, 8) == (world.user().issued[0].attempts, world.user().phones[0].failures)
        assert world.user().guesses > world.now

    def test_second_number(self):
        """A code is compared with the code for its own number, not for the user's first number."""
        world = World(phone(), phone("two", OTHER_NUMBER))
        world.challenge(phone_id="two")
        world.verify()

        assert [0, world.now] == [one.last_used_at for one in world.user().phones]

    def test_disables(self):
        """R6: the hundredth failure in a row disables the number, and later codes are refused at no cost."""
        world = World(phone(failures=99))
        world.challenge()

        assert 0 == world.verify(right=False).attempts_left
        assert world.user().phones[0].disabled
        before = dict(world.values)
        assert Locked is type(world.verify())
        assert before == world.values

    @pytest.mark.parametrize(
        "arguments", [{"challenge_id": "other"}, {"purpose": "payment"}, {"details": (("amount", "10"),)}]
    )
    def test_unknown(self, arguments):
        """R5, R24, T8: a code for another challenge, purpose or details is rejected and costs nothing."""
        world = World(phone())
        world.challenge()
        before = dict(world.values)

        assert 0 == world.verify(**arguments).attempts_left
        assert before == world.values

    def test_closed(self):
        """R2: a code that is too old is refused and costs nothing."""
        world = World(phone())
        world.challenge()
        world.now += 300 * SECOND
        before = dict(world.values)

        assert CodeExpired is type(world.verify())
        assert before == world.values


class TestRecover:
    """A recovery code is compared."""

    def test_right(self):
        """R20: a right recovery code is replaced and costs nothing."""
        world = World(phone())
        world.alter(recovery=[b"one", b"recovery", b"two"])

        assert b"before" == world.recover().stamp
        assert ([b"one", b"replaced", b"two"], 0) == (world.user().recovery, world.user().recoveries)

    def test_wrong(self):
        """R20: a wrong recovery code is charged; with an empty budget, the right one gets the exact wait."""
        world = World(phone(), limits=Limits(recovery=ONE_AN_HOUR))

        assert 0 == world.recover(b"wrong").attempts_left
        world.now += HOUR // 4
        refusal = world.recover()
        assert ("recovery", timedelta(minutes=45)) == (refusal.scope, refusal.retry_after)

    def test_clamp(self):
        """T17: a refusal stores a bucket that is more than empty as just empty."""
        world = World(phone(), limits=Limits(recovery=ONE_AN_HOUR))
        world.alter(recoveries=world.now + 9 * HOUR)
        world.recover()

        assert world.now + HOUR == world.user().recoveries

    def test_nobody(self):
        """A user without a number gets NotEnrolled and is not charged."""
        world = World()

        assert NotEnrolled is type(world.recover())
        assert {} == world.values


class TestSettle:
    """A message was certainly not sent."""

    def test_challenge(self):
        """The charge is given back and the new challenge is gone."""
        world = World(phone())
        before = world.seen()
        world.settle(world.challenge(), excused=True)

        assert before == world.seen()

    def test_beside_pending(self):
        """A pending number whose message went out at the same instant does not change."""
        world = World(phone())
        world.start(OTHER_NUMBER)
        before = world.seen()
        world.settle(world.challenge(new_id="other"), excused=True)

        assert before == world.seen()

    def test_displaced(self):
        """The challenge that the new one replaced is restored."""
        world = World(phone())
        world.challenge()
        world.now += 30 * SECOND
        before = world.seen()
        world.settle(world.challenge(new_id="other"), excused=True)

        assert before == world.seen()

    def test_repetition(self):
        """A repeated challenge stays, with the gap of the previous message."""
        world = World(phone())
        world.challenge()
        world.now += 30 * SECOND
        before = world.seen()
        world.settle(world.resend(), excused=True)

        assert before == world.seen()

    def test_repeated_again(self):
        """If another repetition was sent meanwhile, its gap stays."""
        world = World(phone())
        world.challenge()
        world.now += 30 * SECOND
        reply = world.resend()
        world.now += 30 * SECOND
        world.resend()
        world.settle(reply, excused=True)

        assert world.now == world.user().issued[0].sent

    @pytest.mark.parametrize("wait", [0, 300 * SECOND])
    def test_pending(self, wait):
        """A number whose message was not sent is not pending, and the previous pending number is restored."""
        world = World()
        before = world.seen()
        world.settle(world.start(), excused=True)
        assert before == world.seen()
        world.start()
        world.now += wait
        before = world.seen()
        world.settle(world.start(OTHER_NUMBER, new_id="other"), excused=True)

        assert before == world.seen()

    def test_repetition_of_pending(self):
        """A number whose repeated message was not sent stays pending, unchanged."""
        world = World()
        world.start()
        world.now += 30 * SECOND
        before = world.seen()
        world.settle(world.resend_pending(), excused=True)

        assert before == world.seen()

    def test_number_removed_meanwhile(self):
        """The replaced challenge is not restored if its number was removed meanwhile."""
        world = World(phone(), phone("two", OTHER_NUMBER))
        world.challenge()
        reply = world.challenge(new_id="other", phone_id="two")
        world.run(partial(decisions.remove, phone_id="phone", proof=world.proof(), stamp=b"after"))
        world.settle(reply, excused=True)

        assert ([], world.now + HOUR) == (world.ids, world.user().sends)

    def test_used_meanwhile(self):
        """A challenge that was used meanwhile stays used, and the charge is given back."""
        world = World(phone())
        reply = world.challenge()
        world.verify()
        world.settle(reply, excused=True)

        assert ([], 0) == (world.ids, world.seen().sends)


class TestLanes:
    """A message is charged to the owners' or the strangers' lane, and given back to the same lane."""

    @staticmethod
    def lanes(world):
        """Return how many messages are charged to each lane of the number: for its owners, and for others."""
        record, hour = world.number(), HOUR
        return tuple(-(-max(bucket - world.now, 0) // hour) for bucket in (record.sends, record.unverified))

    @pytest.mark.parametrize("repeat", ["resend_pending", "renew"])
    @pytest.mark.parametrize("owned, charged", [(True, (1, 0)), (False, (0, 1))])
    def test_enrolment(self, owned, charged, repeat):
        """A code for the user's disabled number is charged to the owners' lane, for a new one to the strangers'."""
        world = World(*[phone(disabled=True)] * owned)
        reply = world.start()
        assert (charged, owned) == (self.lanes(world), reply.confirmed)
        world.now += 30 * SECOND
        if repeat == "renew":
            world.settle(reply, excused=True)
            assert (0, 0) == self.lanes(world)
            reply = world.start(new_id="other")
            world.now += 30 * SECOND
        again = world.resend_pending(reply.issued.id)
        assert (tuple(2 * one for one in charged), owned) == (self.lanes(world), again.confirmed)
        world.settle(again, excused=True)

        assert charged == self.lanes(world)

    @pytest.mark.parametrize("wait", [30 * SECOND, 300 * SECOND])
    def test_login(self, wait):
        """A login code is charged to the owners' lane, also if it is repeated or renewed."""
        world = World(phone())
        world.challenge()
        assert (1, 0) == self.lanes(world)
        world.now += wait
        again = world.resend()
        assert (2, 0) == self.lanes(world)
        world.settle(again, excused=True)

        assert (1, 0) == self.lanes(world)

    def test_refunds(self):
        """Unsent messages are given back to the user as often as ``refunds`` allows, and to other buckets always."""
        world = World(phone(), limits=Limits(refunds=ONE_AN_HOUR))
        for sends in 0, HOUR:
            world.settle(world.challenge(purpose=f"purpose {sends}"))
            assert (sends, (0, 0)) == (max(world.user().sends - world.now, 0), self.lanes(world))
        before = world.user().refunds
        world.settle(world.challenge(purpose="another"), excused=True)

        assert (HOUR, before) == (world.user().sends - world.now, world.user().refunds)


class TestRetries:
    """The same request gets the same answer."""

    KEY = "the form of one session"

    def asked(self, world, kind, code, *, key=KEY, count=1, about="new"):
        """Send a request, with the recovery codes that it derives, and return the outcome."""
        purpose = {"purpose": "login"} if kind == "verify" else {}
        request = world.request(kind, about, code, key, **purpose)
        codes = hashes_of(request.recovery_codes(count))
        decide = {
            "confirm": partial(decisions.confirm, recovery=codes, stamp=b"after"),
            "verify": decisions.verify,
            "recover": partial(decisions.recover, hashed=code.encode(), replacement=codes[0] if codes else b""),
            "new": partial(decisions.new_recovery_codes, recovery=codes, proof=world.proof()),
        }[kind]
        return world.run(partial(decide, request=request))

    def ready(self, kind):
        """Return a world in which a request of a kind succeeds, and the right code."""
        world = World(*[phone()] * (kind != "confirm"), recovery_codes=2)
        if kind == "confirm":
            world.start()
            return world, world.code("enrollment", world.user().pending.issued, world.user().pending.phone)
        if kind == "verify":
            world.challenge()
            return world, world.code("verification", world.user().issued[0], world.user().phones[0])
        return world, "recovery"

    @pytest.mark.parametrize("kind, codes", [("confirm", 2), ("verify", 0), ("recover", 1), ("new", 2)])
    def test_accepted(self, kind, codes):
        """A repeated request gets the answer of the first and changes nothing. Without the key the code is used."""
        world, code = self.ready(kind)
        first = self.asked(world, kind, code, count=2)
        before = world.user()
        again = self.asked(world, kind, code, count=2)

        assert (False, True) == (first.repeated, again.repeated)
        assert before == world.user()
        assert first.answer == again.answer
        assert (codes, bool(codes)) == (first.answer.codes, bool(first.answer.seed))
        if kind == "confirm":
            assert ("phone of new", True, b"after") == (again.phone.id, again.shows_codes, again.stamp)
            assert "phone of new" == first.answer.phone_id
        if kind != "new":
            assert CodeUsed is type(self.asked(world, kind, code, key=None, count=2))
            assert CodeUsed is type(self.asked(world, kind, code, key="another form of it", count=2))

    @pytest.mark.parametrize("kind", ["confirm", "recover", "new"])
    def test_codes_that_no_longer_work(self, kind):
        """An answer with recovery codes is not repeated after all of them stopped working."""
        world, code = self.ready(kind)
        self.asked(world, kind, code)
        world.alter(recovery=[b"other"])

        assert CodeUsed is type(self.asked(world, kind, code))

    def test_another_number(self):
        """A second number shows no recovery codes, and its kept answer has none."""
        world = World(phone("one", OTHER_NUMBER), max_phones=2)
        world.start()
        code = world.code("enrollment", world.user().pending.issued, world.user().pending.phone)
        enrolled = self.asked(world, "confirm", code)
        again = self.asked(world, "confirm", code)

        assert (0, b"", False) == (enrolled.answer.codes, enrolled.answer.seed, enrolled.shows_codes)
        assert (True, False, "phone of new") == (again.repeated, again.shows_codes, again.phone.id)

    @pytest.mark.parametrize("kind", ["confirm", "verify", "recover"])
    def test_refused(self, kind):
        """A wrong code that is repeated with its retry key costs once."""
        world, code = self.ready(kind)
        other = "other" if kind == "recover" else wrong(code)
        first = self.asked(world, kind, other)
        before = world.user()
        again = self.asked(world, kind, other)

        assert (CodeRejected, first.attempts_left) == (type(again), again.attempts_left)
        assert before == world.user()

    @pytest.mark.parametrize("error", [PhoneInUse, AlreadyEnrolled])
    def test_refused_number(self, error):
        """A number that was refused with the right code is refused again."""
        world, code = self.ready("confirm")
        if error is PhoneInUse:
            world.config = a_config(max_users_per_number=1)
            world.values[number_key(int(NUMBER[1:]))] = encode(Number(holders=[b"bob"]))
        else:
            world.alter(phones=[phone("one", OTHER_NUMBER)])

        assert (error, error) == (type(self.asked(world, "confirm", code)), type(self.asked(world, "confirm", code)))

    def test_numbers_changed(self):
        """Answers from before a change of numbers are not repeated, and their seeds are deleted."""
        world, code = self.ready("confirm")
        self.asked(world, "confirm", code)
        world.run(partial(decisions.remove, phone_id="phone of new", proof=world.proof(), stamp=b"later"))

        assert [(b"", b"")] == [(answer.mark, answer.seed) for answer in world.user().accepted]
        assert CodeUsed is type(self.asked(world, "confirm", code))

    @pytest.mark.parametrize("kind", ["verify", "recover"])
    def test_record_without_stamp(self, kind):
        """A record without a stamp gets one of ten bytes, made from the request."""
        world, code = self.ready(kind)
        world.alter(stamp=0)
        accepted = self.asked(world, kind, code)

        assert world.user().stamp == accepted.stamp == accepted.answer.about + b"\0\0"


class TestChannels:
    """A message is repeated by the last channel or another one, with the same code and limits."""

    @staticmethod
    def pair(name):
        """Return a world, and functions that make, repeat and return a challenge in it."""
        if name == "pending":
            world = World()
            return world, world.start, world.resend_pending, lambda: world.user().pending.issued
        world = World(phone())
        return world, world.challenge, world.resend, lambda: world.user().issued[0]

    @pytest.mark.parametrize("name", ["pending", "login"])
    @pytest.mark.parametrize("first, then, last", [("sms", "voice", "voice"), ("voice", None, "voice")])
    def test_repeated(self, name, first, then, last):
        """A live challenge keeps its channel, unless another is asked for."""
        world, make, repeat, look = self.pair(name)
        make(channel=first)
        assert first == look().channel
        world.now += 30 * SECOND
        repeat(channel=then)

        assert ("new", last) == (look().id, look().channel)

    @pytest.mark.parametrize("name", ["pending", "login"])
    @pytest.mark.parametrize("then, last", [("sms", "sms"), (None, "voice")])
    def test_renewed(self, name, then, last):
        """A dead challenge is renewed on its channel, unless another is asked for."""
        world, make, repeat, look = self.pair(name)
        make(channel="voice")
        world.now += HOUR
        repeat(channel=then)

        assert ("newer", last) == (look().id, look().channel)

    @pytest.mark.parametrize("name", ["pending", "login"])
    def test_not_sent(self, name):
        """If a repetition by another channel was not sent, the channel does not change."""
        world, make, repeat, look = self.pair(name)
        make(channel="sms")
        world.now += 30 * SECOND
        world.settle(repeat(channel="voice"))

        assert "sms" == look().channel

    def test_one_limit(self):
        """A call is taken from the same buckets as an SMS."""
        world = World(phone())
        world.config = a_config(limits=Limits(user=ONE_AN_HOUR))
        world.challenge(purpose="login")

        assert "user" == world.challenge(purpose="payment", channel="voice").scope

    def test_method(self):
        """An accepted code tells by which channel it was sent last; a recovery code has no channel."""
        world = World(phone())
        world.challenge(channel="whatsapp")
        assert "whatsapp" == world.verify().answer.method
        world.alter(recovery=[b"recovery"])
        assert "recovery" == world.recover().answer.method
        world = World()
        world.start(channel="voice")
        assert "voice" == world.confirm().answer.method
