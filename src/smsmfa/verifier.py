"""Login: a challenge is sent to an enrolled number, and answered once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from .codes import new_id
from .core.arguments import checked_channel, checked_details, checked_locale, checked_purpose
from .core.lazy import lazy
from .core.opaque import Opaque
from .core.shell import AsyncShell, Base, Shell, enrolled_phone
from .limiter import remaining
from .values import Challenge, Status, Verification

if TYPE_CHECKING:
    from .core import decisions, rules
    from .core import operation as operations
    from .core.operation import Operation
    from .core.records import Issued, Phone
else:
    decisions, operations, rules = lazy("decisions"), lazy("operation"), lazy("rules")


class VerifierBase(Base):
    """What the verifier and its twin share."""

    def _status(self, operation: Operation, value: bytes | None) -> Status:
        book = operations.Book(operation, {} if value is None else {operation.user_key: value})
        user, limits = book.user, self._config.limits
        guesses = remaining(limits.guesses, user.guesses, book.now)
        phones = {phone.id: phone for phone in user.phones}
        waiting: list[tuple[Issued, Phone]] = [(issued, phones[issued.phone_id]) for issued in user.issued]
        if user.pending:
            waiting.append((user.pending.issued, user.pending.phone))
        return Status(
            enabled=self._config.enabled,
            enrolled=bool(phones),
            phones=tuple(map(enrolled_phone, user.phones)),
            challenges=tuple(
                self._challenge(operation, issued, phone)
                for issued, phone in waiting
                if guesses and rules.alive(book, issued) and not phone.disabled
            ),
            sends_left=remaining(limits.user, user.sends, book.now),
            guesses_left=guesses,
            locked=not guesses or (bool(phones) and all(phone.disabled for phone in user.phones)),
            recovery_codes_left=len(user.recovery),
        )


class Verifier(VerifierBase, Shell):
    """Challenges users at login, and checks their answers.

    Args:
        config: what the operator decided.
        store: where records are kept.
        sender: who sends the messages.
        on_event: called with one :class:`~smsmfa.Event` for each operation; it can break nothing.
        clock: a function like :func:`time.time_ns`.

    Raises:
        ConfigurationError: an argument is of the wrong kind, for example an asynchronous store.
    """

    def challenge(
        self, user_id: object, *, phone_id: str | None = None, purpose: str = "login",
        details: Mapping[str, str] | None = None, locale: str | None = None, channel: str = "sms",
    ) -> Challenge:  # fmt: skip
        """Send a code to a number of the user's.

        Within the gap a second call about the same thing sends nothing and returns the live challenge;
        after it, it makes a new code in place of the old one.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            phone_id: which number; the first that is not disabled if left out.
            purpose: what the code will be good for; bound into it.
            details: what exactly, for example amount and payee; bound into it, and there for the
                template (RTS (EU) 2018/389, Art. 5).
            locale: the user's language, for the text.
            channel: ``"sms"``, ``"voice"`` or ``"whatsapp"``, if the sender has it.

        Raises:
            NotEnrolled: the user has no number, or no such number.
            Locked: the number is disabled.
            RateLimited: a limit refuses; see ``scope`` and ``retry_after``.
            DeliveryRejected: the message did not go out, and was not charged.
            FactorDisabled, StoreError: as everywhere.
            ValueError: the text would not fit with these details, or lacks one.
        """
        purpose, bound, language = checked_purpose(purpose), checked_details(details), checked_locale(locale)
        channel = checked_channel(channel)
        self._config.texts.check(purpose, bound, language, channel=channel)
        with self._operation("challenge", user_id, "verification", purpose=purpose) as operation:
            self._check_enabled()
            decide = partial(
                decisions.challenge,
                new_id=new_id(),
                phone_id=phone_id,
                purpose=purpose,
                details=bound,
                locale=language,
                channel=channel,
            )
            return self._request(operation, decide, partial(rules.about_phone, phone_id=phone_id))

    def resend(self, user_id: object, challenge_id: str, *, channel: str | None = None) -> Challenge:
        """Send the same code once more, under the same expiry and attempts; renew a challenge that is dead.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            challenge_id: which one.
            channel: how, for example ``"voice"`` for who cannot read it; ``None``: as the last message.

        Raises:
            RateLimited: too soon (``"resend"``), or a limit refuses.
            CodeRejected: there is no such challenge, or it was used.
            Locked: the number is disabled.
            DeliveryRejected: the message did not go out, and was not charged.
            FactorDisabled, StoreError: as everywhere.
        """
        channel = None if channel is None else checked_channel(channel)
        with self._operation("resend", user_id, "verification", challenge_id=challenge_id) as operation:
            self._check_enabled()
            decide = partial(decisions.resend, new_id=new_id(), challenge_id=challenge_id, channel=channel)
            located = partial(rules.about_challenge, challenge_id=challenge_id)
            return self._request(operation, decide, located)

    def verify(
        self, user_id: object, challenge_id: str, code: str, *, purpose: str = "login",
        details: Mapping[str, str] | None = None,
    ) -> Verification:  # fmt: skip
        """Return a proof that the user typed the right code, or raise. A code is accepted once.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            challenge_id: which challenge is answered.
            code: as the user typed it.
            purpose: what the code has to be for.
            details: what exactly, as given to :meth:`challenge`.

        Raises:
            CodeMalformed: it cannot be a code; nothing was charged.
            CodeRejected: it is not the code for this; see ``attempts_left``.
            CodeExpired: the challenge is too old.
            RateLimited: the guess budget is empty (``"guesses"``); nothing was compared.
            Locked: the number is disabled.
            FactorDisabled, StoreError: as everywhere. Nobody was let in.
        """
        submitted = Opaque(code)
        del code  # what a traceback with locals shows of this frame must not be the code
        purpose, bound = checked_purpose(purpose), checked_details(details)
        with self._operation("verify", user_id, challenge_id=challenge_id, purpose=purpose) as operation:
            decide = partial(
                decisions.verify,
                challenge_id=challenge_id,
                code=self._read_code(submitted),
                purpose=purpose,
                details=bound,
            )
            accepted = self._run(operation, decide)
            return self._verification(operation, accepted, purpose, plain=not bound)

    def recover(self, user_id: object, recovery_code: str) -> Verification:
        """Let the user in with a recovery code; its replacement is in the result, to be shown once.

        Raises:
            CodeMalformed: it cannot be a recovery code; nothing was charged.
            CodeRejected: it is none of the user's; see ``attempts_left``.
            RateLimited: too many wrong ones (``"recovery"``); nothing was compared.
            NotEnrolled: the user has no number.
            FactorDisabled, StoreError: as everywhere. Nobody was let in.
        """
        submitted = Opaque(recovery_code)
        del recovery_code
        with self._operation("recover", user_id, purpose="login") as operation:
            hashed = self._read_recovery_code(submitted)
            shown, hashes = self._new_recovery_codes(1)
            decide = partial(decisions.recover, hashed=hashed, replacement=hashes[0])
            accepted = self._run(operation, decide)
            return self._verification(operation, accepted, "login", recovery_codes=shown)

    def unlock(self, user_id: object) -> None:
        """The operator's: fill the guess and recovery buckets. It does not revive a disabled number.

        Raises:
            StoreError: the store failed.
        """
        with self._operation("unlock", user_id) as operation:
            self._run(operation, decisions.unlock)

    def status(self, user_id: object) -> Status:
        """Return how things stand for a user, enrolled or not; one read, and no limit is touched.

        Raises:
            TypeError: ``user_id`` is none.
            StoreError: the store failed.
        """
        operation = self._operation("status", user_id)
        return self._status(operation, self._store.read(operation.user_key))


class AsyncVerifier(VerifierBase, AsyncShell):
    """:class:`Verifier` for asyncio."""

    async def challenge(
        self, user_id: object, *, phone_id: str | None = None, purpose: str = "login",
        details: Mapping[str, str] | None = None, locale: str | None = None, channel: str = "sms",
    ) -> Challenge:  # fmt: skip
        """Like :meth:`Verifier.challenge`."""
        purpose, bound, language = checked_purpose(purpose), checked_details(details), checked_locale(locale)
        channel = checked_channel(channel)
        self._config.texts.check(purpose, bound, language, channel=channel)
        with self._operation("challenge", user_id, "verification", purpose=purpose) as operation:
            self._check_enabled()
            decide = partial(
                decisions.challenge,
                new_id=new_id(),
                phone_id=phone_id,
                purpose=purpose,
                details=bound,
                locale=language,
                channel=channel,
            )
            return await self._request(operation, decide, partial(rules.about_phone, phone_id=phone_id))

    async def resend(self, user_id: object, challenge_id: str, *, channel: str | None = None) -> Challenge:
        """Like :meth:`Verifier.resend`."""
        channel = None if channel is None else checked_channel(channel)
        with self._operation("resend", user_id, "verification", challenge_id=challenge_id) as operation:
            self._check_enabled()
            decide = partial(decisions.resend, new_id=new_id(), challenge_id=challenge_id, channel=channel)
            located = partial(rules.about_challenge, challenge_id=challenge_id)
            return await self._request(operation, decide, located)

    async def verify(
        self, user_id: object, challenge_id: str, code: str, *, purpose: str = "login",
        details: Mapping[str, str] | None = None,
    ) -> Verification:  # fmt: skip
        """Like :meth:`Verifier.verify`."""
        submitted = Opaque(code)
        del code  # what a traceback with locals shows of this frame must not be the code
        purpose, bound = checked_purpose(purpose), checked_details(details)
        with self._operation("verify", user_id, challenge_id=challenge_id, purpose=purpose) as operation:
            decide = partial(
                decisions.verify,
                challenge_id=challenge_id,
                code=self._read_code(submitted),
                purpose=purpose,
                details=bound,
            )
            accepted = await self._run(operation, decide)
            return self._verification(operation, accepted, purpose, plain=not bound)

    async def recover(self, user_id: object, recovery_code: str) -> Verification:
        """Like :meth:`Verifier.recover`."""
        submitted = Opaque(recovery_code)
        del recovery_code
        with self._operation("recover", user_id, purpose="login") as operation:
            hashed = self._read_recovery_code(submitted)
            shown, hashes = self._new_recovery_codes(1)
            decide = partial(decisions.recover, hashed=hashed, replacement=hashes[0])
            accepted = await self._run(operation, decide)
            return self._verification(operation, accepted, "login", recovery_codes=shown)

    async def unlock(self, user_id: object) -> None:
        """Like :meth:`Verifier.unlock`."""
        with self._operation("unlock", user_id) as operation:
            await self._run(operation, decisions.unlock)

    async def status(self, user_id: object) -> Status:
        """Like :meth:`Verifier.status`."""
        operation = self._operation("status", user_id)
        return self._status(operation, await self._store.read(operation.user_key))
