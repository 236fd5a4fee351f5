"""Stored records become values and messages."""

from datetime import UTC, datetime, timedelta

import pytest
from support import NUMBER, OTHER_NUMBER, SECRET, Records, a_config, rejected

from smsmfa import Limit, Limits, ProofRequired, SenderMisconfigured
from smsmfa.core import proofs, results
from smsmfa.core.opaque import Opaque
from smsmfa.core.operation import Operation
from smsmfa.core.outcomes import Accepted, Enrolled, Reply
from smsmfa.core.proofs import Proof
from smsmfa.core.records import Answer, Issued, Pending, Phone, User

SECOND, TEN_MINUTES = 10**6, 600 * 10**6
NOW = Records().now
AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
OTHER_SECRET = "another secret of the tests, as long as the first"
CODES = Opaque(("one", "two"))


def operation(config=None, *, kind="verification", now=NOW):
    """Return an operation about alice."""
    return Operation("challenge", config or a_config(), "alice", now, kind)


def phone(phone_id="phone", number=NUMBER, **fields):
    """Return a number of alice."""
    return Phone(phone_id, int(number[1:]), "US", "mobile", **fields)


def issued(challenge_id="challenge", **fields):
    """Return a live challenge."""
    fields = {
        "key_id": a_config().keys.newest.key_id, "purpose": "login", "phone_id": "phone", "details": (), "locale": "de",
        "created": NOW, "expires": NOW + 300 * SECOND, "sent": NOW,
    } | fields  # fmt: skip
    return Issued(id=challenge_id, **fields)


class TestMessageOf:
    """The message of a challenge."""

    def message(self, config=None, *, kind="verification", **fields):
        about = operation(config, kind=kind)
        reply = Reply(issued(**fields), phone(), sent=True)
        return results.message_of(about, reply, results.challenge_of(about, reply.issued, reply.phone))

    def test_login(self):
        """A message has the code, the text and everything that a sender may need."""
        message = self.message(channel="voice")
        code = a_config().code(operation().user_key, "verification", issued(), int(NUMBER[1:]))

        assert code == message.code.reveal()
        assert (NUMBER, "verification", "challenge", "voice") == (
            message.to.e164,
            message.kind,
            message.challenge_id,
            message.channel,
        )
        assert ("de", "de", AT + timedelta(minutes=5)) == (message.locale, message.language, message.expires_at)
        assert ("login", ()) == (message.purpose, message.details)
        assert message.english.startswith("Your verification code for Acme is ")
        assert 2 == message.english.count(", ".join(code))

    def test_no_english(self):
        """Only a call has an English text, because other messages are not read aloud."""
        assert self.message().english is None

    def test_text(self):
        """The text contains the code."""
        message = self.message()

        assert message.code.reveal() in message.text
        assert "Acme" in message.text

    def test_enrolment_has_another_code(self):
        """R5: an enrolment and a login have different codes."""
        assert self.message(kind="enrollment").code.reveal() != self.message().code.reveal()

    def test_details(self):
        """R5: the text shows details, and the sender gets the details that are shown."""
        message = self.message(
            a_config(messages={"payment": "{{ code }} pays {{ details.payee }}"}), purpose="payment",
            details=(("_order", "7"), ("payee", "Ann")),
        )  # fmt: skip

        assert "pays Ann" in message.text
        assert ["Ann"] == [value for _, value in message.details]

    def test_templates_changed(self):
        """If the templates no longer fit the details, the error is SenderMisconfigured."""
        config = a_config(messages={"payment": "{{ code }} pays {{ details.payee }}"})

        error = rejected(self.message, config, purpose="payment", error=SenderMisconfigured)
        assert "payee" in str(error)
        assert error.__cause__ is None


class TestChallengeOf:
    """A challenge as the application sees it."""

    def test_sent(self):
        """A challenge says what was sent, to which number, and until when it is valid."""
        challenge = results.challenge_of(operation(), issued(channel="voice"), phone(), sent=True, attempts_left=3)

        assert ("challenge", "alice", NUMBER, "login", "voice") == (
            challenge.id,
            challenge.user_id,
            challenge.phone.e164,
            challenge.purpose,
            challenge.channel,
        )
        assert (AT + timedelta(minutes=5), AT + timedelta(seconds=30)) == (challenge.expires_at, challenge.resend_at)
        assert (True, False, 3) == (challenge.sent, challenge.uncertain, challenge.attempts_left)

    def test_not_sent(self):
        """By default, a challenge was not sent and does not tell the attempts."""
        challenge = results.challenge_of(operation(), issued(), phone())

        assert (False, None) == (challenge.sent, challenge.attempts_left)

    def test_uncertain(self):
        """An uncertain delivery changes only that field of a challenge."""
        challenge = results.challenge_of(operation(), issued(), phone(), sent=True)
        unknown = results.uncertain(challenge)

        assert (False, True) == (challenge.uncertain, unknown.uncertain)
        assert challenge.to_dict() | {"uncertain": True} == unknown.to_dict()


class TestVerificationOf:
    """The proof that a user passed."""

    @pytest.mark.parametrize(
        "purpose, plain, manages",
        [("login", True, True), ("manage", True, True), ("login", False, False), ("payment", True, False)],
    )
    def test_token(self, purpose, plain, manages):
        """R17: the token may change numbers if it has the right purpose and no details."""
        accepted = Accepted(b"ten bytes!", Answer(about=b"", at=NOW, method="sms"))
        value = results.verification_of(operation(), accepted, purpose, plain=plain)

        proof = proofs.read(a_config().keys, operation().user_key, value.token)
        assert Proof(NOW, b"ten bytes!", manages) == proof
        assert ("alice", "sms", AT, purpose, False) == (
            value.user_id,
            value.method,
            value.at,
            value.purpose,
            value.repeated,
        )
        assert () == value.recovery_codes

    def test_recovery_codes(self):
        """A verification after a recovery has the new recovery code."""
        accepted = Accepted(b"ten bytes!", Answer(about=b"", at=NOW, method="recovery"))

        assert ("one", "two") == results.verification_of(
            operation(), accepted, "login", recovery_codes=CODES
        ).recovery_codes

    def test_repeated(self):
        """A repeated verification has the same token, also after the secret was rotated."""
        answer = Answer(about=b"", at=NOW, key_id=a_config().keys.newest.key_id, method="sms")
        rotated = a_config(secret=[OTHER_SECRET, SECRET])
        first = results.verification_of(operation(), Accepted(b"ten bytes!", answer), "login")
        later = operation(rotated, now=NOW + TEN_MINUTES)
        again = results.verification_of(later, Accepted(b"ten bytes!", answer, repeated=True), "login")

        assert (first, first.token, True) == (again, again.token, again.repeated)

    def test_not_repeated(self):
        """R12: a new token is signed with the newest secret, even if the answer names an older one."""
        config = a_config(secret=[OTHER_SECRET, SECRET])
        answer = Answer(about=b"", at=NOW, key_id=a_config().keys.newest.key_id)
        value = results.verification_of(operation(config), Accepted(b"ten bytes!", answer), "login")

        assert proofs.read(a_config(secret=OTHER_SECRET).keys, operation().user_key, value.token)


class TestProvenAt:
    """The time of a proof."""

    def test_good(self):
        """A good proof tells when the user passed."""
        user = User(phones=[phone()], stamp=b"ten bytes!")
        later = operation(now=NOW + TEN_MINUTES)

        assert AT == results.proven_at(later, user, Proof(NOW, b"ten bytes!", True), TEN_MINUTES)

    @pytest.mark.parametrize(
        "user, proof, after",
        [
            (User(phones=[phone()], stamp=b"ten bytes!"), None, 0),
            (User(stamp=b"ten bytes!"), Proof(NOW, b"ten bytes!", True), 0),
            (User(phones=[phone()], stamp=b"ten others"), Proof(NOW, b"ten bytes!", True), 0),
            (User(phones=[phone()], stamp=b"ten bytes!"), Proof(NOW, b"ten bytes!", False), 0),
            (User(phones=[phone()], stamp=b"ten bytes!"), Proof(NOW, b"ten bytes!", True), 30 * SECOND + 1),
        ],
        ids=["none", "no number", "other numbers", "other purpose", "too old"],
    )
    def test_bad(self, user, proof, after):
        """R17: a proof is refused if it is missing, too old or of another purpose, or if the numbers changed."""
        rejected(results.proven_at, operation(now=NOW + after), user, proof, 30 * SECOND, error=ProofRequired)


class TestEnrollmentOf:
    """An enrolment as the application sees it."""

    def enrolled(self, *, shows_codes=True, repeated=False):
        used = phone(enrolled_at=NOW, last_used_at=NOW + 1, disabled=True)
        answer = Answer(about=b"", at=NOW, method="sms")
        return Enrolled(b"ten bytes!", answer, repeated=repeated, phone=used, shows_codes=shows_codes)

    @pytest.mark.parametrize("shows_codes, codes", [(True, ("one", "two")), (False, ())])
    def test_codes(self, shows_codes, codes):
        """An enrolment shows the recovery codes if they were stored for the user."""
        value = results.enrollment_of(operation(), self.enrolled(shows_codes=shows_codes), CODES)

        assert ("alice", codes, None, False) == (
            value.user_id,
            value.recovery_codes,
            value.verification,
            value.repeated,
        )

    def test_verification(self):
        """An enrolment has a verification, because confirming a number is a proof."""
        enrolled = self.enrolled()
        verification = results.verification_of(operation(), enrolled, "login")

        assert verification is results.enrollment_of(operation(), enrolled, CODES, verification).verification

    def test_repeated(self):
        """A repeated enrolment shows the number as it was when it was new."""
        value = results.enrollment_of(operation(), self.enrolled(repeated=True), CODES)

        assert (None, False, AT, True) == (
            value.phone.last_used_at,
            value.phone.disabled,
            value.phone.enrolled_at,
            value.repeated,
        )

    def test_phone(self):
        """A number tells when it was enrolled and last used, and whether it is disabled."""
        used, new = phone(enrolled_at=NOW, last_used_at=NOW + SECOND, disabled=True), phone(enrolled_at=NOW)

        assert [(AT, AT + timedelta(seconds=1), True), (AT, None, False)] == [
            (value.enrolled_at, value.last_used_at, value.disabled)
            for value in map(results.enrolled_phone, [used, new])
        ]


class TestStatusOf:
    """The status of a user."""

    def test_nobody(self):
        """An unknown user has full limits, no numbers and no challenges."""
        status = results.status_of(operation(), User())

        assert (True, False, (), (), False) == (
            status.enabled,
            status.enrolled,
            status.phones,
            status.challenges,
            status.locked,
        )
        assert (10, 20, 0) == (status.sends_left, status.guesses_left, status.recovery_codes_left)

    def test_disabled_factor(self):
        """A status tells that the factor is turned off."""
        assert not results.status_of(operation(a_config(enabled=False)), User()).enabled

    def test_challenges(self):
        """A status lists live challenges with the attempts left, and no dead ones."""
        user = User(
            phones=[phone("one"), phone("two", OTHER_NUMBER, disabled=True)],
            issued=[
                issued("live", phone_id="one", attempts=2),
                issued("expired", phone_id="one", expires=NOW),
                issued("exhausted", phone_id="one", attempts=5),
                issued("disabled", phone_id="two"),
            ],
            pending=Pending(issued("pending", purpose="enrollment", phone_id="three"), phone("three", OTHER_NUMBER)),
            recovery=[b"hash"],
        )
        status = results.status_of(operation(), user)

        assert [("live", 3), ("pending", 5)] == [(one.id, one.attempts_left) for one in status.challenges]
        assert [("one", False), ("two", True)] == [(one.id, one.disabled) for one in status.phones]
        assert (True, False, 1) == (status.enrolled, status.locked, status.recovery_codes_left)

    def test_few_guesses(self):
        """A challenge has at most as many attempts left as the budget has guesses."""
        config = a_config(limits=Limits(guesses=Limit(3, timedelta(hours=1))))
        user = User(phones=[phone()], issued=[issued()], guesses=NOW + 3600 * SECOND)
        status = results.status_of(operation(config), user)

        assert (2, [2]) == (status.guesses_left, [one.attempts_left for one in status.challenges])

    def test_no_guesses(self):
        """A user without guesses is locked, and no challenge can be answered."""
        config = a_config(limits=Limits(guesses=Limit(1, timedelta(hours=1))))
        user = User(phones=[phone()], issued=[issued()], guesses=NOW + 3600 * SECOND)
        status = results.status_of(operation(config), user)

        assert (0, True, ()) == (status.guesses_left, status.locked, status.challenges)

    def test_all_disabled(self):
        """A user whose numbers are all disabled is locked."""
        assert results.status_of(operation(), User(phones=[phone(disabled=True)])).locked

    def test_sends(self):
        """A status tells how many messages are left."""
        assert 9 == results.status_of(operation(), User(sends=NOW + 1)).sends_left
