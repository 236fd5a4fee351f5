"""Enrolment: a number becomes the user's once its code is confirmed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from . import core
from .codes import new_id
from .core.arguments import checked_channel, checked_locale
from .core.opaque import Opaque
from .core.shell import AsyncShell, Base, Shell
from .exceptions import PhoneNumberError
from .phone import ALL_REGIONS, PhoneNumber
from .typing import ENROLLMENT, SMS
from .values import Challenge, Enrollment

if TYPE_CHECKING:
    from .core.operation import Operation
    from .core.outcomes import Enrolled, Reply
    from .core.records import Phone
    from .core.transaction import Decide


class EnrollerBase(Base):
    """What the enroller and its twin share."""

    def _checked(self, locale: str | None, channel: str) -> tuple[str | None, str]:
        locale, channel = checked_locale(locale), checked_channel(channel)
        self._config.texts.check(ENROLLMENT, (), locale, channel=channel)
        return locale, channel

    def _read_number(self, text: Opaque[str], region: str | None) -> PhoneNumber:
        self._check_enabled()
        number = PhoneNumber.parse(text.reveal(), region)
        if self._config.regions != ALL_REGIONS and number.region not in self._config.regions:
            raise PhoneNumberError("region")
        if number.type not in self._config.number_types:
            raise PhoneNumberError("type")
        return number

    def _pending(self, operation: Operation, text: Opaque[str], region: str | None) -> Phone:
        number = self._read_number(text, region)
        operation.phone = phone = core.records.Phone(
            id=new_id(), number=int(number.e164[1:]), region=number.region, type=number.type
        )
        return phone

    def _resend(self, challenge_id: str, channel: str | None) -> Decide[Reply]:
        self._check_enabled()
        return partial(core.decisions.resend_pending, new_id=new_id(), challenge_id=challenge_id, channel=channel)

    def _enrollment(self, operation: Operation, enrolled: Enrolled, shown: Opaque[tuple[str, ...]]) -> Enrollment:
        return Enrollment(
            user_id=operation.user_id,
            phone=core.results.enrolled_phone(enrolled.phone),
            recovery_codes=shown if enrolled.recovery else core.results.NO_CODES,
            verification=core.results.verification_of(operation, enrolled, "login"),
        )


class Enroller(EnrollerBase, Shell):
    """Enrols phone numbers.

    Args:
        config: the configuration.
        store: keeps the records.
        sender: sends the messages.
        on_event: called with one :class:`~smsmfa.Event` for each call of a method. It can break nothing.
        clock: a function like :func:`time.time_ns`.

    Raises:
        ConfigurationError: an argument is of the wrong kind, for example an asynchronous store.
    """

    def start(
        self, user_id: object, number: str, *, region: str | None = None, replace: str | None = None,
        proof: str | None = None, locale: str | None = None, channel: str = SMS,
    ) -> Challenge:  # fmt: skip
        """Send a code to a number that the user wants to enrol. The number is pending until :meth:`confirm`.

        If you call it again for the same number within the gap, it sends nothing and returns the live challenge.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            number: as the user typed it.
            region: ISO code of the country that the number is dialled from, if it does not begin with ``+``.
            replace: the id of the number that it will replace, if users may have several.
            proof: the ``token`` of a fresh :class:`~smsmfa.Verification`, once the user has a number.
            locale: the user's language, for the text.
            channel: ``"sms"``, ``"voice"`` or ``"whatsapp"``, if the sender has it.

        Raises:
            PhoneNumberError: this number cannot enrol; see ``reason``.
            ProofRequired: the user has a number, and ``proof`` is missing, stale or somebody else's.
            NotEnrolled: the user has no number with the id ``replace``.
            AlreadyEnrolled: the user has this number already, or as many as allowed.
            PhoneInUse: as many other users as allowed have this number.
            RateLimited: a limit refuses; see ``scope`` and ``retry_after``.
            DeliveryRejected: the message was not sent, and not charged.
            FactorDisabled: the factor is turned off.
            StoreError: the store failed.
        """
        text, token = Opaque(number), Opaque(proof)
        del number, proof  # a traceback with locals must show neither
        locale, channel = self._checked(locale, channel)
        with self._operation("start", user_id, ENROLLMENT, purpose=ENROLLMENT) as operation:
            phone = self._pending(operation, text, region)
            decide = partial(
                core.decisions.start, new_id=new_id(), phone=phone, replace=replace,
                proof=self._read_proof(operation, token), locale=locale, channel=channel,
            )  # fmt: skip
            return self._request(operation, decide, numbers=(phone.number,))

    def resend(self, user_id: object, challenge_id: str, *, channel: str | None = None) -> Challenge:
        """Send the same code once more, under the same expiry and attempts.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            challenge_id: the challenge of the pending number.
            channel: for example ``"voice"`` for someone who cannot read the message; ``None``: as last time.

        Raises:
            RateLimited: it is too soon (``"resend"``), or a limit refuses.
            CodeRejected: there is no such challenge, it was used, or it is dead and cannot be renewed.
            DeliveryRejected: the message was not sent, and not charged.
            FactorDisabled: the factor is turned off.
            StoreError: the store failed.
        """
        channel = None if channel is None else checked_channel(channel)
        with self._operation(
            "resend enrollment", user_id, ENROLLMENT, challenge_id=challenge_id, purpose=ENROLLMENT
        ) as operation:
            return self._request(operation, self._resend(challenge_id, channel), core.rules.locate_pending)

    def confirm(self, user_id: object, challenge_id: str, code: str) -> Enrollment:
        """Enrol the pending number if the code is right. It may replace an enrolled one.

        Raises:
            CodeMalformed: this cannot be a code; nothing was charged.
            CodeRejected: the code is wrong; see ``attempts_left``.
            CodeExpired: the challenge is too old.
            RateLimited: the guess budget is empty (``"guesses"``); nothing was compared.
            PhoneInUse, AlreadyEnrolled: somebody else was faster; start again.
            FactorDisabled: the factor is turned off.
            StoreError: the store failed; nobody was let in.
        """
        submitted = Opaque(code)
        del code  # a traceback with locals must not show it
        with self._operation("confirm", user_id, challenge_id=challenge_id, purpose=ENROLLMENT) as operation:
            read = self._read_code(submitted)
            shown, hashes = self._new_recovery_codes(self._config.recovery_codes)
            decide = partial(core.decisions.confirm, challenge_id=challenge_id, code=read, recovery=hashes)
            return self._enrollment(operation, self._run(operation, decide, core.rules.locate_all), shown)

    def remove(self, user_id: object, phone_id: str, *, proof: str | None) -> None:
        """Remove a number of the user, and a pending one. The recovery codes go with the last number. No limit resets.

        Raises:
            ProofRequired: ``proof`` is missing, stale or somebody else's.
            NotEnrolled: the user has no such number.
            StoreError: the store failed.
        """
        token = Opaque(proof)
        del proof
        with self._operation("remove", user_id) as operation:
            decide = partial(core.decisions.remove, phone_id=phone_id, proof=self._read_proof(operation, token))
            self._run(operation, decide, core.rules.locate_all)

    def new_recovery_codes(self, user_id: object, *, proof: str | None) -> tuple[str, ...]:
        """Return new recovery codes, which you show once. The old ones no longer work.

        Raises:
            ProofRequired: ``proof`` is missing, stale or somebody else's.
            NotEnrolled: the user has no number.
            FactorDisabled: the factor is turned off.
            StoreError: the store failed.
        """
        token = Opaque(proof)
        del proof
        with self._operation("new recovery codes", user_id) as operation:
            self._check_enabled()
            shown, hashes = self._new_recovery_codes(self._config.recovery_codes)
            read = self._read_proof(operation, token)
            self._run(operation, partial(core.decisions.new_recovery_codes, recovery=hashes, proof=read))
            return shown.reveal()

    def reset(self, user_id: object) -> None:
        """For operators: forget the user's numbers and recovery codes, so that they can enrol anew. No limit resets.

        Raises:
            StoreError: the store failed.
        """
        with self._operation("reset", user_id) as operation:
            self._run(operation, core.decisions.reset, core.rules.locate_all)


class AsyncEnroller(EnrollerBase, AsyncShell):
    """:class:`Enroller` for asyncio."""

    async def start(
        self, user_id: object, number: str, *, region: str | None = None, replace: str | None = None,
        proof: str | None = None, locale: str | None = None, channel: str = SMS,
    ) -> Challenge:  # fmt: skip
        """Like :meth:`Enroller.start`."""
        text, token = Opaque(number), Opaque(proof)
        del number, proof  # a traceback with locals must show neither
        locale, channel = self._checked(locale, channel)
        with self._operation("start", user_id, ENROLLMENT, purpose=ENROLLMENT) as operation:
            phone = self._pending(operation, text, region)
            decide = partial(
                core.decisions.start, new_id=new_id(), phone=phone, replace=replace,
                proof=self._read_proof(operation, token), locale=locale, channel=channel,
            )  # fmt: skip
            return await self._request(operation, decide, numbers=(phone.number,))

    async def resend(self, user_id: object, challenge_id: str, *, channel: str | None = None) -> Challenge:
        """Like :meth:`Enroller.resend`."""
        channel = None if channel is None else checked_channel(channel)
        with self._operation(
            "resend enrollment", user_id, ENROLLMENT, challenge_id=challenge_id, purpose=ENROLLMENT
        ) as operation:
            return await self._request(operation, self._resend(challenge_id, channel), core.rules.locate_pending)

    async def confirm(self, user_id: object, challenge_id: str, code: str) -> Enrollment:
        """Like :meth:`Enroller.confirm`."""
        submitted = Opaque(code)
        del code  # a traceback with locals must not show it
        with self._operation("confirm", user_id, challenge_id=challenge_id, purpose=ENROLLMENT) as operation:
            read = self._read_code(submitted)
            shown, hashes = self._new_recovery_codes(self._config.recovery_codes)
            decide = partial(core.decisions.confirm, challenge_id=challenge_id, code=read, recovery=hashes)
            return self._enrollment(operation, await self._run(operation, decide, core.rules.locate_all), shown)

    async def remove(self, user_id: object, phone_id: str, *, proof: str | None) -> None:
        """Like :meth:`Enroller.remove`."""
        token = Opaque(proof)
        del proof
        with self._operation("remove", user_id) as operation:
            decide = partial(core.decisions.remove, phone_id=phone_id, proof=self._read_proof(operation, token))
            await self._run(operation, decide, core.rules.locate_all)

    async def new_recovery_codes(self, user_id: object, *, proof: str | None) -> tuple[str, ...]:
        """Like :meth:`Enroller.new_recovery_codes`."""
        token = Opaque(proof)
        del proof
        with self._operation("new recovery codes", user_id) as operation:
            self._check_enabled()
            shown, hashes = self._new_recovery_codes(self._config.recovery_codes)
            read = self._read_proof(operation, token)
            await self._run(operation, partial(core.decisions.new_recovery_codes, recovery=hashes, proof=read))
            return shown.reveal()

    async def reset(self, user_id: object) -> None:
        """Like :meth:`Enroller.reset`."""
        with self._operation("reset", user_id) as operation:
            await self._run(operation, core.decisions.reset, core.rules.locate_all)
