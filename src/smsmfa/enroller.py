"""Enrolment: a number becomes the user's once its code is confirmed."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from . import core
from .codes import new_id, new_recovery_code, new_stamp
from .core.arguments import checked_channel, checked_instant, checked_locale, checked_retry_key
from .core.opaque import Opaque
from .core.shell import AsyncShell, Base, Shell
from .exceptions import PhoneNumberError
from .phone import PhoneNumber, read_number
from .typing import ENROLLMENT, SMS

if TYPE_CHECKING:
    from .core.operation import Operation
    from .core.outcomes import Enrolled, Reply
    from .core.records import Phone
    from .core.request import Request
    from .core.transaction import Decide
    from .phone import AnyNumber
    from .values import Challenge, Enrollment


class EnrollerBase(Base):
    """What the enroller and its twin share."""

    def _checked(self, locale: str | None, channel: str) -> tuple[str | None, str]:
        locale, channel = checked_locale(locale), checked_channel(channel)
        self._config.texts.check(ENROLLMENT, (), locale, channel=channel)
        return locale, channel

    def _read_number(self, text: Opaque[Any], region: str | None) -> PhoneNumber:
        number = read_number(text, region)
        if not self._config.allows(number.region):
            raise PhoneNumberError("region")
        if number.type not in self._config.number_types:
            raise PhoneNumberError("type")
        return number

    def _pending(self, operation: Operation, text: Opaque[Any], region: str | None) -> Phone:
        number = self._read_number(text, region)
        operation.phone = phone = core.records.Phone(
            id=new_id(), number=int(number.e164[1:]), region=number.region, type=number.type
        )
        return phone

    def _resend(self, challenge_id: str, channel: str | None) -> Decide[Reply]:
        self._check_enabled()
        return partial(core.decisions.resend_pending, new_id=new_id(), challenge_id=challenge_id, channel=channel)

    def _confirming(self, request: Request) -> tuple[Opaque[tuple[str, ...]], Decide[Enrolled]]:
        codes = request.recovery_codes(self._config.recovery_codes)
        return codes, partial(
            core.decisions.confirm, request=request, recovery=core.request.hashes_of(codes), stamp=new_stamp()
        )  # fmt: skip

    def _confirmed(
        self, operation: Operation, request: Request, enrolled: Enrolled, codes: Opaque[tuple[str, ...]]
    ) -> Enrollment:
        shown = self._shown(operation, request, enrolled, codes)
        verification = core.results.verification_of(operation, enrolled, "login")
        return core.results.enrollment_of(operation, enrolled, shown, verification)

    def _adopting(
        self, operation: Operation, text: Opaque[Any], replace: str | None, enrolled_at: datetime | None
    ) -> tuple[Opaque[tuple[str, ...]], Decide[Enrolled], Phone]:
        phone = self._pending(operation, text, None)
        phone.enrolled_at = operation.now if enrolled_at is None else checked_instant(enrolled_at)
        codes = Opaque(tuple(new_recovery_code().reveal() for _ in range(self._config.recovery_codes)))
        hashes = core.request.hashes_of(codes)
        decide = partial(core.decisions.adopt, phone=phone, replace=replace, recovery=hashes, stamp=new_stamp())
        return codes, decide, phone


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
        self, user_id: object, number: AnyNumber, *, region: str | None = None, replace: str | None = None,
        proof: str | None = None, locale: str | None = None, channel: str = SMS,
    ) -> Challenge:  # fmt: skip
        """Send a code to a number that the user wants to enrol. The number is pending until :meth:`confirm`.

        If you call it again for the same number within the gap, it sends nothing and returns the live challenge.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            number: as the user typed it, or a ``PhoneNumber`` of ours or of ``phonenumbers``.
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
            self._check_enabled()
            phone = self._pending(operation, text, region)
            decide = partial(
                core.decisions.start, new_id=new_id(), phone=phone, replace=replace,
                proof=self._read_proof(operation, token), locale=locale, channel=channel,
            )  # fmt: skip
            return self._request(operation, decide, phones=(phone,))

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

    def confirm(self, user_id: object, challenge_id: str, code: str, *, retry_key: str | None = None) -> Enrollment:
        """Enrol the pending number if the code is right. It may replace an enrolled one.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            challenge_id: the challenge of the pending number.
            code: as the user typed it.
            retry_key: an unguessable string of 16 to 128 characters, drawn for one form of one session. If the same
                request comes again with it within 10 minutes, it gets the same answer, with the recovery codes.

        Raises:
            CodeMalformed: this cannot be a code; nothing was charged.
            CodeRejected: the code is wrong; see ``attempts_left``.
            CodeExpired: the challenge is too old.
            RateLimited: the guess budget is empty (``"guesses"``); nothing was compared.
            PhoneInUse, AlreadyEnrolled: somebody else was faster; start again.
            CodeUsed: the challenge was accepted just now; the form was sent twice.
            FactorDisabled: the factor is turned off.
            StoreError: the store failed; nobody was let in.
        """
        submitted, hidden = Opaque(code), Opaque(retry_key)
        del code, retry_key  # a traceback with locals must show neither
        key = checked_retry_key(hidden)
        with self._operation("confirm", user_id, challenge_id=challenge_id, purpose=ENROLLMENT) as operation:
            request = self._asked(operation, self._read_code(submitted), "confirm", operation.challenge_id or "", key)
            codes, decide = self._confirming(request)
            enrolled = self._run(operation, decide, core.rules.locate_all)
            return self._confirmed(operation, request, enrolled, codes)

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
            read, stamp = self._read_proof(operation, token), new_stamp()
            decide = partial(core.decisions.remove, phone_id=phone_id, proof=read, stamp=stamp)
            self._run(operation, decide, core.rules.locate_all)

    def prefer(self, user_id: object, phone_id: str, *, proof: str | None) -> None:
        """Make a number the first, to which codes go unless another number is named.

        Raises:
            ProofRequired: ``proof`` is missing, stale or somebody else's.
            NotEnrolled: the user has no such number.
            FactorDisabled: the factor is turned off.
            StoreError: the store failed.
        """
        token = Opaque(proof)
        del proof
        with self._operation("prefer", user_id) as operation:
            self._check_enabled()
            decide = partial(core.decisions.prefer, phone_id=phone_id, proof=self._read_proof(operation, token))
            self._run(operation, decide)

    def adopt(
        self, user_id: object, number: AnyNumber, *, replace: str | None = None,
        enrolled_at: datetime | None = None,
    ) -> Enrollment:  # fmt: skip
        """For operators: enrol a number that was verified elsewhere, without a message. The factor may be turned off.

        If users may have one number, or with ``replace``, it replaces. Called again, it changes nothing.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            number: with ``+`` and the country code, or a ``PhoneNumber`` of ours or of ``phonenumbers``.
            replace: the id of the number that it will replace, if users may have several.
            enrolled_at: when the number was verified; ``None``: now.

        Returns:
            The enrolment. It has no ``verification``, and recovery codes if the user had none.

        Raises:
            PhoneNumberError: this number cannot enrol; see ``reason``.
            NotEnrolled: the user has no number with the id ``replace``.
            AlreadyEnrolled: the user has as many numbers as allowed.
            PhoneInUse: as many other users as allowed have this number.
            StoreError: the store failed.
        """
        text = Opaque(number)
        del number  # a traceback with locals must not show it
        with self._operation("adopt", user_id) as operation:
            codes, decide, adopted = self._adopting(operation, text, replace, enrolled_at)
            enrolled = self._run(operation, decide, core.rules.locate_all, (adopted,))
            return core.results.enrollment_of(operation, enrolled, codes)

    def new_recovery_codes(
        self, user_id: object, *, proof: str | None, retry_key: str | None = None
    ) -> tuple[str, ...]:
        """Return new recovery codes, which you show once. The old ones no longer work.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            proof: the ``token`` of a fresh :class:`~smsmfa.Verification`.
            retry_key: as for :meth:`confirm`.

        Raises:
            ProofRequired: ``proof`` is missing, stale or somebody else's.
            NotEnrolled: the user has no number.
            FactorDisabled: the factor is turned off.
            StoreError: the store failed.
        """
        token, hidden = Opaque(proof), Opaque(retry_key)
        del proof, retry_key
        key = checked_retry_key(hidden)
        with self._operation("new recovery codes", user_id) as operation:
            self._check_enabled()
            request = self._asked(operation, as_text(token), "new recovery codes", "", key)
            codes, read = request.recovery_codes(self._config.recovery_codes), self._read_proof(operation, token)
            hashes = core.request.hashes_of(codes)
            decide = partial(core.decisions.new_recovery_codes, request=request, recovery=hashes, proof=read)
            renewed = self._run(operation, decide)
            return self._shown(operation, request, renewed, codes).reveal()

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
        self, user_id: object, number: AnyNumber, *, region: str | None = None, replace: str | None = None,
        proof: str | None = None, locale: str | None = None, channel: str = SMS,
    ) -> Challenge:  # fmt: skip
        """Like :meth:`Enroller.start`."""
        text, token = Opaque(number), Opaque(proof)
        del number, proof  # a traceback with locals must show neither
        locale, channel = self._checked(locale, channel)
        with self._operation("start", user_id, ENROLLMENT, purpose=ENROLLMENT) as operation:
            self._check_enabled()
            phone = self._pending(operation, text, region)
            decide = partial(
                core.decisions.start, new_id=new_id(), phone=phone, replace=replace,
                proof=self._read_proof(operation, token), locale=locale, channel=channel,
            )  # fmt: skip
            return await self._request(operation, decide, phones=(phone,))

    async def resend(self, user_id: object, challenge_id: str, *, channel: str | None = None) -> Challenge:
        """Like :meth:`Enroller.resend`."""
        channel = None if channel is None else checked_channel(channel)
        with self._operation(
            "resend enrollment", user_id, ENROLLMENT, challenge_id=challenge_id, purpose=ENROLLMENT
        ) as operation:
            return await self._request(operation, self._resend(challenge_id, channel), core.rules.locate_pending)

    async def confirm(
        self, user_id: object, challenge_id: str, code: str, *, retry_key: str | None = None
    ) -> Enrollment:
        """Like :meth:`Enroller.confirm`."""
        submitted, hidden = Opaque(code), Opaque(retry_key)
        del code, retry_key  # a traceback with locals must show neither
        key = checked_retry_key(hidden)
        with self._operation("confirm", user_id, challenge_id=challenge_id, purpose=ENROLLMENT) as operation:
            request = self._asked(operation, self._read_code(submitted), "confirm", operation.challenge_id or "", key)
            codes, decide = self._confirming(request)
            enrolled = await self._run(operation, decide, core.rules.locate_all)
            return self._confirmed(operation, request, enrolled, codes)

    async def remove(self, user_id: object, phone_id: str, *, proof: str | None) -> None:
        """Like :meth:`Enroller.remove`."""
        token = Opaque(proof)
        del proof
        with self._operation("remove", user_id) as operation:
            read, stamp = self._read_proof(operation, token), new_stamp()
            decide = partial(core.decisions.remove, phone_id=phone_id, proof=read, stamp=stamp)
            await self._run(operation, decide, core.rules.locate_all)

    async def prefer(self, user_id: object, phone_id: str, *, proof: str | None) -> None:
        """Like :meth:`Enroller.prefer`."""
        token = Opaque(proof)
        del proof
        with self._operation("prefer", user_id) as operation:
            self._check_enabled()
            decide = partial(core.decisions.prefer, phone_id=phone_id, proof=self._read_proof(operation, token))
            await self._run(operation, decide)

    async def adopt(
        self, user_id: object, number: AnyNumber, *, replace: str | None = None,
        enrolled_at: datetime | None = None,
    ) -> Enrollment:  # fmt: skip
        """Like :meth:`Enroller.adopt`."""
        text = Opaque(number)
        del number  # a traceback with locals must not show it
        with self._operation("adopt", user_id) as operation:
            codes, decide, adopted = self._adopting(operation, text, replace, enrolled_at)
            enrolled = await self._run(operation, decide, core.rules.locate_all, (adopted,))
            return core.results.enrollment_of(operation, enrolled, codes)

    async def new_recovery_codes(
        self, user_id: object, *, proof: str | None, retry_key: str | None = None
    ) -> tuple[str, ...]:
        """Like :meth:`Enroller.new_recovery_codes`."""
        token, hidden = Opaque(proof), Opaque(retry_key)
        del proof, retry_key
        key = checked_retry_key(hidden)
        with self._operation("new recovery codes", user_id) as operation:
            self._check_enabled()
            request = self._asked(operation, as_text(token), "new recovery codes", "", key)
            codes, read = request.recovery_codes(self._config.recovery_codes), self._read_proof(operation, token)
            hashes = core.request.hashes_of(codes)
            decide = partial(core.decisions.new_recovery_codes, request=request, recovery=hashes, proof=read)
            renewed = await self._run(operation, decide)
            return self._shown(operation, request, renewed, codes).reveal()

    async def reset(self, user_id: object) -> None:
        """Like :meth:`Enroller.reset`."""
        with self._operation("reset", user_id) as operation:
            await self._run(operation, core.decisions.reset, core.rules.locate_all)


def as_text(token: Opaque[str | None]) -> Opaque[str]:
    """Return a proof as a text that can be signed, or an empty one if it cannot be a proof."""
    return Opaque(text if isinstance(text := token.reveal(), str) and text.isascii() else "")
