"""Enrolment: a number becomes the user's once its code is confirmed."""

from functools import partial
from typing import TYPE_CHECKING

from .codes import new_id
from .core.arguments import checked_channel, checked_locale
from .core.lazy import lazy
from .core.opaque import Opaque
from .core.shell import AsyncShell, Base, Shell, enrolled_phone
from .exceptions import PhoneNumberError
from .phone import ALL_REGIONS, PhoneNumber
from .values import Challenge, Enrollment

if TYPE_CHECKING:
    from .core import decisions, records, rules
else:
    decisions, records, rules = lazy("decisions"), lazy("records"), lazy("rules")


class EnrollerBase(Base):
    """What the enroller and its twin share."""

    def _read_number(self, text: Opaque[str], region: str | None) -> PhoneNumber:
        self._check_enabled()
        number = PhoneNumber.parse(text.reveal(), region)
        if self._config.regions != ALL_REGIONS and number.region not in self._config.regions:
            raise PhoneNumberError("region")
        if number.type not in self._config.number_types:
            raise PhoneNumberError("type")
        return number


class Enroller(EnrollerBase, Shell):
    """Enrols phone numbers.

    Args:
        config: what the operator decided.
        store: where records are kept.
        sender: who sends the messages.
        on_event: called with one :class:`~smsmfa.Event` for each operation; it can break nothing.
        clock: a function like :func:`time.time_ns`.

    Raises:
        ConfigurationError: an argument is of the wrong kind, for example an asynchronous store.
    """

    def start(
        self, user_id: object, number: str, *, region: str | None = None, replace: str | None = None,
        proof: str | None = None, locale: str | None = None, channel: str = "sms",
    ) -> Challenge:  # fmt: skip
        """Send a code to a number that the user wants to enrol. It stays pending until :meth:`confirm`.

        Calling it again for the same number within the gap sends nothing and returns the live challenge.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            number: as the user typed it.
            region: ISO code of the country it is dialled from, where it has no ``+``.
            replace: the id of the number it takes the place of, where several are allowed.
            proof: the ``token`` of a fresh :class:`~smsmfa.Verification`, once the user has a number.
            locale: the user's language, for the text.
            channel: ``"sms"``, ``"voice"`` or ``"whatsapp"``, if the sender has it.

        Raises:
            PhoneNumberError: it is no number that may enrol; see ``reason``.
            ProofRequired: the user has a number, and ``proof`` is missing, stale or another's.
            NotEnrolled: ``replace`` names no number of the user's.
            AlreadyEnrolled: the user has it already, or has as many as allowed.
            PhoneInUse: as many other users as allowed have it.
            RateLimited: a limit refuses; see ``scope`` and ``retry_after``.
            DeliveryRejected: the message did not go out, and was not charged.
            FactorDisabled, StoreError: as everywhere.
        """
        text, token = Opaque(number), Opaque(proof)
        del number, proof  # what a traceback with locals shows of this frame must be neither
        locale, channel = checked_locale(locale), checked_channel(channel)
        self._config.texts.check("enrollment", (), locale, channel=channel)
        with self._operation("start", user_id, "enrollment", purpose="enrollment") as operation:
            phone = self._read_number(text, region)
            pending = records.Phone(new_id(), int(phone.e164[1:]), phone.region, phone.type)
            operation.phone = pending
            operation.include(pending.number)
            decide = partial(
                decisions.start,
                new_id=new_id(),
                phone=pending,
                replace=replace,
                proof=self._read_proof(operation, token),
                locale=locale,
                channel=channel,
            )
            return self._request(operation, decide)

    def resend(self, user_id: object, challenge_id: str, *, channel: str | None = None) -> Challenge:
        """Send the same code once more, under the same expiry and attempts.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            challenge_id: that of the number that waits.
            channel: how, for example ``"voice"`` for who cannot read it; ``None``: as the last message.

        Raises:
            RateLimited: too soon (``"resend"``), or a limit refuses.
            CodeRejected: there is no such challenge, it was used, or it is dead and cannot be renewed.
            DeliveryRejected: the message did not go out, and was not charged.
            FactorDisabled, StoreError: as everywhere.
        """
        channel = None if channel is None else checked_channel(channel)
        with self._operation(
            "resend enrollment", user_id, "enrollment", challenge_id=challenge_id, purpose="enrollment"
        ) as operation:
            self._check_enabled()
            decide = partial(decisions.resend_pending, new_id=new_id(), challenge_id=challenge_id, channel=channel)
            return self._request(operation, decide, rules.about_pending)

    def confirm(self, user_id: object, challenge_id: str, code: str) -> Enrollment:
        """Enrol the pending number, if the code is right. It may take the place of an enrolled one.

        Raises:
            CodeMalformed: it cannot be a code; nothing was charged.
            CodeRejected: it is not the code; see ``attempts_left``.
            CodeExpired: the challenge is too old.
            RateLimited: the guess budget is empty (``"guesses"``); nothing was compared.
            PhoneInUse, AlreadyEnrolled: others were faster; start again.
            FactorDisabled, StoreError: as everywhere. Nobody was let in.
        """
        submitted = Opaque(code)
        del code
        with self._operation("confirm", user_id, challenge_id=challenge_id, purpose="enrollment") as operation:
            read = self._read_code(submitted)
            shown, hashes = self._new_recovery_codes(self._config.recovery_codes)
            decide = partial(decisions.confirm, challenge_id=challenge_id, code=read, recovery=hashes)
            accepted = self._run(operation, decide, rules.about_all)
            return Enrollment(
                user_id=operation.user_id,
                phone=enrolled_phone(accepted.phone),
                recovery_codes=shown if accepted.recovery else Opaque(()),
                verification=self._verification(operation, accepted, "login"),
            )

    def remove(self, user_id: object, phone_id: str, *, proof: str | None) -> None:
        """Drop a number of the user's, and one that waits; the last takes the recovery codes along. No limit is reset.

        Raises:
            ProofRequired: ``proof`` is missing, stale or another's.
            NotEnrolled: the user has no such number.
            StoreError: the store failed.
        """
        token = Opaque(proof)
        del proof
        with self._operation("remove", user_id) as operation:
            decide = partial(decisions.remove, phone_id=phone_id, proof=self._read_proof(operation, token))
            self._run(operation, decide, rules.about_all)

    def new_recovery_codes(self, user_id: object, *, proof: str | None) -> tuple[str, ...]:
        """Return new recovery codes, to be shown once; the old ones are dead.

        Raises:
            ProofRequired: ``proof`` is missing, stale or another's.
            NotEnrolled: the user has no number.
            FactorDisabled, StoreError: as everywhere.
        """
        token = Opaque(proof)
        del proof
        with self._operation("new recovery codes", user_id) as operation:
            self._check_enabled()
            shown, hashes = self._new_recovery_codes(self._config.recovery_codes)
            read = self._read_proof(operation, token)
            self._run(operation, partial(decisions.new_recovery_codes, recovery=hashes, proof=read))
            return shown.reveal()

    def reset(self, user_id: object) -> None:
        """The operator's: forget the user's numbers and recovery codes, so that they can enrol anew. No limit is reset.

        Raises:
            StoreError: the store failed.
        """
        with self._operation("reset", user_id) as operation:
            self._run(operation, decisions.reset, rules.about_all)


class AsyncEnroller(EnrollerBase, AsyncShell):
    """:class:`Enroller` for asyncio."""

    async def start(
        self, user_id: object, number: str, *, region: str | None = None, replace: str | None = None,
        proof: str | None = None, locale: str | None = None, channel: str = "sms",
    ) -> Challenge:  # fmt: skip
        """Like :meth:`Enroller.start`."""
        text, token = Opaque(number), Opaque(proof)
        del number, proof  # what a traceback with locals shows of this frame must be neither
        locale, channel = checked_locale(locale), checked_channel(channel)
        self._config.texts.check("enrollment", (), locale, channel=channel)
        with self._operation("start", user_id, "enrollment", purpose="enrollment") as operation:
            phone = self._read_number(text, region)
            pending = records.Phone(new_id(), int(phone.e164[1:]), phone.region, phone.type)
            operation.phone = pending
            operation.include(pending.number)
            decide = partial(
                decisions.start,
                new_id=new_id(),
                phone=pending,
                replace=replace,
                proof=self._read_proof(operation, token),
                locale=locale,
                channel=channel,
            )
            return await self._request(operation, decide)

    async def resend(self, user_id: object, challenge_id: str, *, channel: str | None = None) -> Challenge:
        """Like :meth:`Enroller.resend`."""
        channel = None if channel is None else checked_channel(channel)
        with self._operation(
            "resend enrollment", user_id, "enrollment", challenge_id=challenge_id, purpose="enrollment"
        ) as operation:
            self._check_enabled()
            decide = partial(decisions.resend_pending, new_id=new_id(), challenge_id=challenge_id, channel=channel)
            return await self._request(operation, decide, rules.about_pending)

    async def confirm(self, user_id: object, challenge_id: str, code: str) -> Enrollment:
        """Like :meth:`Enroller.confirm`."""
        submitted = Opaque(code)
        del code
        with self._operation("confirm", user_id, challenge_id=challenge_id, purpose="enrollment") as operation:
            read = self._read_code(submitted)
            shown, hashes = self._new_recovery_codes(self._config.recovery_codes)
            decide = partial(decisions.confirm, challenge_id=challenge_id, code=read, recovery=hashes)
            accepted = await self._run(operation, decide, rules.about_all)
            return Enrollment(
                user_id=operation.user_id,
                phone=enrolled_phone(accepted.phone),
                recovery_codes=shown if accepted.recovery else Opaque(()),
                verification=self._verification(operation, accepted, "login"),
            )

    async def remove(self, user_id: object, phone_id: str, *, proof: str | None) -> None:
        """Like :meth:`Enroller.remove`."""
        token = Opaque(proof)
        del proof
        with self._operation("remove", user_id) as operation:
            decide = partial(decisions.remove, phone_id=phone_id, proof=self._read_proof(operation, token))
            await self._run(operation, decide, rules.about_all)

    async def new_recovery_codes(self, user_id: object, *, proof: str | None) -> tuple[str, ...]:
        """Like :meth:`Enroller.new_recovery_codes`."""
        token = Opaque(proof)
        del proof
        with self._operation("new recovery codes", user_id) as operation:
            self._check_enabled()
            shown, hashes = self._new_recovery_codes(self._config.recovery_codes)
            read = self._read_proof(operation, token)
            await self._run(operation, partial(decisions.new_recovery_codes, recovery=hashes, proof=read))
            return shown.reveal()

    async def reset(self, user_id: object) -> None:
        """Like :meth:`Enroller.reset`."""
        with self._operation("reset", user_id) as operation:
            await self._run(operation, decisions.reset, rules.about_all)
