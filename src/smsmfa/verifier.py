"""Login: a challenge is sent to an enrolled number, and answered once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from . import core
from .codes import new_id
from .core.arguments import (
    PROOF_AGE,
    checked_age,
    checked_channel,
    checked_details,
    checked_locale,
    checked_purpose,
    checked_retry_key,
)
from .core.opaque import Opaque
from .core.shell import AsyncShell, Base, Shell
from .typing import SMS, VERIFICATION

if TYPE_CHECKING:
    from .core.outcomes import Reply
    from .core.records import Details
    from .core.transaction import Decide
    from .values import Challenge, Status, Verification


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
        on_event: called with one :class:`~smsmfa.Event` for each call of a method, except :meth:`status` and
            :meth:`check_proof`. It can break nothing.
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
            PhoneNumberError: the configuration dropped its country (``"region"``).
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
            locate = partial(core.rules.locate_phone, phone_id=phone_id, config=self._config)
            return self._request(operation, decide, locate)

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
            locate = partial(core.rules.locate_challenge, challenge_id=challenge_id, config=self._config)
            return self._request(operation, self._resend(challenge_id, channel), locate)

    def verify(
        self, user_id: object, challenge_id: str, code: str, *, purpose: str = "login",
        details: Mapping[str, str] | None = None, retry_key: str | None = None,
    ) -> Verification:  # fmt: skip
        """Return proof that the user typed the right code, or raise. A code is accepted once.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            challenge_id: which challenge is answered.
            code: as the user typed it.
            purpose: what the code must be for.
            details: what exactly, as given to :meth:`challenge`.
            retry_key: an unguessable string of 16 to 128 characters, drawn for one form of one session. If the same
                request comes again with it within 10 minutes, it gets the same answer.

        Raises:
            CodeMalformed: this cannot be a code; nothing was charged.
            CodeRejected: the code is wrong for this; see ``attempts_left``.
            CodeExpired: the challenge is too old.
            RateLimited: the guess budget is empty (``"guesses"``); nothing was compared.
            Locked: the number is disabled.
            CodeUsed: the challenge was accepted just now; the form was sent twice.
            FactorDisabled: the factor is turned off.
            StoreError: the store failed; nobody was let in.
        """
        submitted, hidden = Opaque(code), Opaque(retry_key)
        del code, retry_key  # a traceback with locals must show neither
        purpose, bound, key = checked_purpose(purpose), checked_details(details), checked_retry_key(hidden)
        with self._operation("verify", user_id, challenge_id=challenge_id, purpose=purpose) as operation:
            read, known = self._read_code(submitted), operation.challenge_id or ""
            request = self._asked(operation, read, "verify", known, key, purpose, bound)
            accepted = self._run(operation, partial(core.decisions.verify, request=request))
            operation.repeated = accepted.repeated
            return core.results.verification_of(operation, accepted, purpose, plain=not bound)

    def recover(self, user_id: object, recovery_code: str, *, retry_key: str | None = None) -> Verification:
        """Let the user in with a recovery code. The result has its replacement, which you show once.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            recovery_code: as the user typed it.
            retry_key: as for :meth:`verify`. The same request gets the same replacement again.

        Raises:
            CodeMalformed: this cannot be a recovery code; nothing was charged.
            CodeRejected: the user has no such recovery code; see ``attempts_left``.
            RateLimited: there were too many wrong ones (``"recovery"``); nothing was compared.
            NotEnrolled: the user has no number.
            CodeUsed: the recovery code was accepted just now; the form was sent twice.
            FactorDisabled: the factor is turned off.
            StoreError: the store failed; nobody was let in.
        """
        submitted, hidden = Opaque(recovery_code), Opaque(retry_key)
        del recovery_code, retry_key
        key = checked_retry_key(hidden)
        with self._operation("recover", user_id, purpose="login") as operation:
            hashed = self._read_recovery_code(submitted)
            request = self._asked(operation, Opaque(hashed.hex()), "recover", hashed.hex(), key)
            codes = request.recovery_codes(1)
            [replacement] = core.request.hashes_of(codes)
            decide = partial(core.decisions.recover, request=request, hashed=hashed, replacement=replacement)
            accepted = self._run(operation, decide)
            shown = self._shown(operation, request, accepted, codes)
            return core.results.verification_of(operation, accepted, "login", recovery_codes=shown)

    def check_proof(self, user_id: object, proof: str | None, *, max_age: timedelta = PROOF_AGE) -> datetime:
        """Return when a proof was given, if it could change the user's numbers now; otherwise raise.

        Use it for your own sensitive pages. It reads one record and charges nothing.

        Args:
            user_id: a ``str``, ``int`` or ``UUID``.
            proof: the ``token`` of a :class:`~smsmfa.Verification`.
            max_age: how old the proof may be, at most 10 minutes.

        Raises:
            ProofRequired: ``proof`` is missing, stale or somebody else's, or the user has no numbers.
            ValueError: ``max_age`` is not a timedelta from zero to 10 minutes.
            StoreError: the store failed.
        """
        token = Opaque(proof)
        del proof
        most = checked_age(max_age)
        operation = self._operation("check proof", user_id).operation
        user = core.records.decode(core.records.User, self._store.read(operation.user_key))
        return core.results.proven_at(operation, user, self._read_proof(operation, token), most)

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
        user = core.records.decode(core.records.User, self._store.read(operation.user_key))
        return core.results.status_of(operation, user)


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
            locate = partial(core.rules.locate_phone, phone_id=phone_id, config=self._config)
            return await self._request(operation, decide, locate)

    async def resend(self, user_id: object, challenge_id: str, *, channel: str | None = None) -> Challenge:
        """Like :meth:`Verifier.resend`."""
        channel = None if channel is None else checked_channel(channel)
        with self._operation("resend", user_id, VERIFICATION, challenge_id=challenge_id) as operation:
            locate = partial(core.rules.locate_challenge, challenge_id=challenge_id, config=self._config)
            return await self._request(operation, self._resend(challenge_id, channel), locate)

    async def verify(
        self, user_id: object, challenge_id: str, code: str, *, purpose: str = "login",
        details: Mapping[str, str] | None = None, retry_key: str | None = None,
    ) -> Verification:  # fmt: skip
        """Like :meth:`Verifier.verify`."""
        submitted, hidden = Opaque(code), Opaque(retry_key)
        del code, retry_key  # a traceback with locals must show neither
        purpose, bound, key = checked_purpose(purpose), checked_details(details), checked_retry_key(hidden)
        with self._operation("verify", user_id, challenge_id=challenge_id, purpose=purpose) as operation:
            read, known = self._read_code(submitted), operation.challenge_id or ""
            request = self._asked(operation, read, "verify", known, key, purpose, bound)
            accepted = await self._run(operation, partial(core.decisions.verify, request=request))
            operation.repeated = accepted.repeated
            return core.results.verification_of(operation, accepted, purpose, plain=not bound)

    async def recover(self, user_id: object, recovery_code: str, *, retry_key: str | None = None) -> Verification:
        """Like :meth:`Verifier.recover`."""
        submitted, hidden = Opaque(recovery_code), Opaque(retry_key)
        del recovery_code, retry_key
        key = checked_retry_key(hidden)
        with self._operation("recover", user_id, purpose="login") as operation:
            hashed = self._read_recovery_code(submitted)
            request = self._asked(operation, Opaque(hashed.hex()), "recover", hashed.hex(), key)
            codes = request.recovery_codes(1)
            [replacement] = core.request.hashes_of(codes)
            decide = partial(core.decisions.recover, request=request, hashed=hashed, replacement=replacement)
            accepted = await self._run(operation, decide)
            shown = self._shown(operation, request, accepted, codes)
            return core.results.verification_of(operation, accepted, "login", recovery_codes=shown)

    async def check_proof(self, user_id: object, proof: str | None, *, max_age: timedelta = PROOF_AGE) -> datetime:
        """Like :meth:`Verifier.check_proof`."""
        token = Opaque(proof)
        del proof
        most = checked_age(max_age)
        operation = self._operation("check proof", user_id).operation
        user = core.records.decode(core.records.User, await self._store.read(operation.user_key))
        return core.results.proven_at(operation, user, self._read_proof(operation, token), most)

    async def unlock(self, user_id: object) -> None:
        """Like :meth:`Verifier.unlock`."""
        with self._operation("unlock", user_id) as operation:
            await self._run(operation, core.decisions.unlock)

    async def status(self, user_id: object) -> Status:
        """Like :meth:`Verifier.status`."""
        operation = self._operation("status", user_id).operation
        user = core.records.decode(core.records.User, await self._store.read(operation.user_key))
        return core.results.status_of(operation, user)
