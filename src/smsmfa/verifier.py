"""Login: a challenge is sent to an enrolled number, and answered once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from . import core
from .codes import new_id
from .core.arguments import checked_channel, checked_details, checked_locale, checked_purpose
from .core.opaque import Opaque
from .core.shell import AsyncShell, Base, Shell
from .typing import SMS, VERIFICATION
from .values import Challenge, Status, Verification

if TYPE_CHECKING:
    from .core.outcomes import Reply
    from .core.records import Details
    from .core.transaction import Decide


class VerifierBase(Base):
    """What the verifier and its twin share."""

    def _challenge(
        self, phone_id: str | None, purpose: str, details: Details, locale: str | None, channel: str
    ) -> Decide[Reply]:
        self._check_enabled()
        return partial(
            core.decisions.challenge, new_id=new_id(), phone_id=phone_id, purpose=purpose, details=details,
            locale=locale, channel=channel,
        )  # fmt: skip

    def _resend(self, challenge_id: str, channel: str | None) -> Decide[Reply]:
        self._check_enabled()
        return partial(core.decisions.resend, new_id=new_id(), challenge_id=challenge_id, channel=channel)


class Verifier(VerifierBase, Shell):
    """Challenges users at login, and checks their answers.

    Args:
        config: the configuration.
        store: keeps the records.
        sender: sends the messages.
        on_event: called with one :class:`~smsmfa.Event` for each call of a method except :meth:`status`. It can break
            nothing.
        clock: a function like :func:`time.time_ns`.

    Raises:
        ConfigurationError: an argument is of the wrong kind, for example an asynchronous store.
    """

    def challenge(
        self, user_id: object, *, phone_id: str | None = None, purpose: str = "login",
        details: Mapping[str, str] | None = None, locale: str | None = None, channel: str = SMS,
    ) -> Challenge:  # fmt: skip
        """Send a code to an enrolled number.

        A second call about the same thing within the gap sends nothing and returns the live challenge. After the gap
        it makes a new code, which replaces the old one.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            phone_id: which number; by default the first that is not disabled.
            purpose: what the code will be good for. The code is bound to it.
            details: what exactly, for example amount and payee. The code is bound to them, and the template can show
                them (RTS (EU) 2018/389, Art. 5).
            locale: the user's language, for the text.
            channel: ``"sms"``, ``"voice"`` or ``"whatsapp"``, if the sender has it.

        Raises:
            NotEnrolled: the user has no number, or no such number.
            Locked: the number is disabled.
            RateLimited: a limit refuses; see ``scope`` and ``retry_after``.
            DeliveryRejected: the message was not sent, and not charged.
            FactorDisabled: the factor is turned off.
            StoreError: the store failed.
            ValueError: the text is too long with these details, or shows one that is missing.
        """
        purpose, bound, language = checked_purpose(purpose), checked_details(details), checked_locale(locale)
        channel = checked_channel(channel)
        self._config.texts.check(purpose, bound, language, channel=channel)
        with self._operation("challenge", user_id, VERIFICATION, purpose=purpose) as operation:
            decide = self._challenge(phone_id, purpose, bound, language, channel)
            return self._request(operation, decide, partial(core.rules.locate_phone, phone_id=phone_id))

    def resend(self, user_id: object, challenge_id: str, *, channel: str | None = None) -> Challenge:
        """Send the same code once more, under the same expiry and attempts. Renew a challenge that is dead.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            challenge_id: which challenge.
            channel: for example ``"voice"`` for someone who cannot read the message; ``None``: as last time.

        Raises:
            RateLimited: it is too soon (``"resend"``), or a limit refuses.
            CodeRejected: there is no such challenge, or it was used.
            Locked: the number is disabled.
            DeliveryRejected: the message was not sent, and not charged.
            FactorDisabled: the factor is turned off.
            StoreError: the store failed.
        """
        channel = None if channel is None else checked_channel(channel)
        with self._operation("resend", user_id, VERIFICATION, challenge_id=challenge_id) as operation:
            locate = partial(core.rules.locate_challenge, challenge_id=challenge_id)
            return self._request(operation, self._resend(challenge_id, channel), locate)

    def verify(
        self, user_id: object, challenge_id: str, code: str, *, purpose: str = "login",
        details: Mapping[str, str] | None = None,
    ) -> Verification:  # fmt: skip
        """Return proof that the user typed the right code, or raise. A code is accepted once.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            challenge_id: which challenge is answered.
            code: as the user typed it.
            purpose: what the code must be for.
            details: what exactly, as given to :meth:`challenge`.

        Raises:
            CodeMalformed: this cannot be a code; nothing was charged.
            CodeRejected: the code is wrong for this; see ``attempts_left``.
            CodeExpired: the challenge is too old.
            RateLimited: the guess budget is empty (``"guesses"``); nothing was compared.
            Locked: the number is disabled.
            FactorDisabled: the factor is turned off.
            StoreError: the store failed; nobody was let in.
        """
        submitted = Opaque(code)
        del code  # a traceback with locals must not show it
        purpose, bound = checked_purpose(purpose), checked_details(details)
        with self._operation("verify", user_id, challenge_id=challenge_id, purpose=purpose) as operation:
            read = self._read_code(submitted)
            decide = partial(
                core.decisions.verify, challenge_id=challenge_id, code=read, purpose=purpose, details=bound
            )
            accepted = self._run(operation, decide)
            return core.results.verification_of(operation, accepted, purpose, plain=not bound)

    def recover(self, user_id: object, recovery_code: str) -> Verification:
        """Let the user in with a recovery code. The result has its replacement, which you show once.

        Raises:
            CodeMalformed: this cannot be a recovery code; nothing was charged.
            CodeRejected: the user has no such recovery code; see ``attempts_left``.
            RateLimited: there were too many wrong ones (``"recovery"``); nothing was compared.
            NotEnrolled: the user has no number.
            FactorDisabled: the factor is turned off.
            StoreError: the store failed; nobody was let in.
        """
        submitted = Opaque(recovery_code)
        del recovery_code
        with self._operation("recover", user_id, purpose="login") as operation:
            hashed = self._read_recovery_code(submitted)
            shown, hashes = self._new_recovery_codes(1)
            accepted = self._run(operation, partial(core.decisions.recover, hashed=hashed, replacement=hashes[0]))
            return core.results.verification_of(operation, accepted, "login", recovery_codes=shown)

    def unlock(self, user_id: object) -> None:
        """For operators: refill the guess and recovery buckets. A disabled number stays disabled.

        Raises:
            StoreError: the store failed.
        """
        with self._operation("unlock", user_id) as operation:
            self._run(operation, core.decisions.unlock)

    def status(self, user_id: object) -> Status:
        """Return how things stand for a user, enrolled or not. It reads one record and charges nothing.

        Raises:
            TypeError: ``user_id`` cannot be a user id.
            StoreError: the store failed.
        """
        operation = self._operation("status", user_id).operation
        return core.results.status_of(operation, self._store.read(operation.user_key))


class AsyncVerifier(VerifierBase, AsyncShell):
    """:class:`Verifier` for asyncio."""

    async def challenge(
        self, user_id: object, *, phone_id: str | None = None, purpose: str = "login",
        details: Mapping[str, str] | None = None, locale: str | None = None, channel: str = SMS,
    ) -> Challenge:  # fmt: skip
        """Like :meth:`Verifier.challenge`."""
        purpose, bound, language = checked_purpose(purpose), checked_details(details), checked_locale(locale)
        channel = checked_channel(channel)
        self._config.texts.check(purpose, bound, language, channel=channel)
        with self._operation("challenge", user_id, VERIFICATION, purpose=purpose) as operation:
            decide = self._challenge(phone_id, purpose, bound, language, channel)
            return await self._request(operation, decide, partial(core.rules.locate_phone, phone_id=phone_id))

    async def resend(self, user_id: object, challenge_id: str, *, channel: str | None = None) -> Challenge:
        """Like :meth:`Verifier.resend`."""
        channel = None if channel is None else checked_channel(channel)
        with self._operation("resend", user_id, VERIFICATION, challenge_id=challenge_id) as operation:
            locate = partial(core.rules.locate_challenge, challenge_id=challenge_id)
            return await self._request(operation, self._resend(challenge_id, channel), locate)

    async def verify(
        self, user_id: object, challenge_id: str, code: str, *, purpose: str = "login",
        details: Mapping[str, str] | None = None,
    ) -> Verification:  # fmt: skip
        """Like :meth:`Verifier.verify`."""
        submitted = Opaque(code)
        del code  # a traceback with locals must not show it
        purpose, bound = checked_purpose(purpose), checked_details(details)
        with self._operation("verify", user_id, challenge_id=challenge_id, purpose=purpose) as operation:
            read = self._read_code(submitted)
            decide = partial(
                core.decisions.verify, challenge_id=challenge_id, code=read, purpose=purpose, details=bound
            )
            accepted = await self._run(operation, decide)
            return core.results.verification_of(operation, accepted, purpose, plain=not bound)

    async def recover(self, user_id: object, recovery_code: str) -> Verification:
        """Like :meth:`Verifier.recover`."""
        submitted = Opaque(recovery_code)
        del recovery_code
        with self._operation("recover", user_id, purpose="login") as operation:
            hashed = self._read_recovery_code(submitted)
            shown, hashes = self._new_recovery_codes(1)
            accepted = await self._run(operation, partial(core.decisions.recover, hashed=hashed, replacement=hashes[0]))
            return core.results.verification_of(operation, accepted, "login", recovery_codes=shown)

    async def unlock(self, user_id: object) -> None:
        """Like :meth:`Verifier.unlock`."""
        with self._operation("unlock", user_id) as operation:
            await self._run(operation, core.decisions.unlock)

    async def status(self, user_id: object) -> Status:
        """Like :meth:`Verifier.status`."""
        operation = self._operation("status", user_id).operation
        return core.results.status_of(operation, await self._store.read(operation.user_key))
