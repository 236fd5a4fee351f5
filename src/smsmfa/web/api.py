"""The second step as JSON, for single-page and mobile applications. It needs no session and knows no framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.arguments import checked_user_id
from ..exceptions import SmsMfaError
from ..typing import SMS
from . import refusals
from .calls import ENROLL, ApiBase, Asked, as_json, early, find, lowered, split
from .refusals import Refused
from .requests import Answer
from .shapes import MfaAssociate, MfaChallenge, MfaRecover, MfaRecoveryCodes, MfaVerify
from .step import AsyncSecondStep, SecondStep
from .visit import UserId


class Api(ApiBase):
    """The second step as JSON. An adapter mounts it, for example ``smsmfa.web.flask.SecondStep(..., api=True)``.

    The state travels in a token, which the application gives for the right password and takes for a login. ``pages`` is
    the second step, whose pages need not be mounted.
    """

    def __init__(self, pages: SecondStep) -> None:
        super().__init__(pages)
        self._enroller, self._verifier = pages.enroller, pages.verifier

    def begin(self, user_id: UserId) -> dict[str, Any] | None:
        """Return what to answer, with the status 403, to a user who gave the right password. It sends nothing.

        Returns:
            The body, with an ``mfa_token`` that is good for 10 minutes; ``None`` if no second step is needed, because
            the factor is turned off.

        Raises:
            TypeError: ``user_id`` cannot be a user id.
            StoreError: the store failed.
        """
        checked_user_id(user_id)
        return self._required(user_id, self._verifier.status(user_id))

    def finish(self, mfa_token: object) -> UserId:
        """Return the user who passed both steps, as :meth:`begin` got them. The application lets that user in.

        Args:
            mfa_token: the token of the last answer, which is good for 10 minutes after the code.

        Raises:
            ProofRequired: the token is not ours, expired, or was given before the second step; or the user's numbers
                changed since.
            StoreError: the store failed.
        """
        token = self._finished(mfa_token)
        del mfa_token
        self._verifier.check_proof(token.user_id, token.proof)
        return token.user_id

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, prefix: str = "") -> Answer:
        """Answer a request. No request makes it raise.

        Args:
            method: ``"GET"``, ``"POST"`` or ``"DELETE"``.
            path: the path without the prefix: ``"authenticators/3f2a"``.
            headers: the headers. It reads ``Authorization``, ``Idempotency-Key`` and ``Accept-Language``.
            body: the body, or its first bytes if it has more than 10,000.
            prefix: the path under which the calls are, as clients see it, for the OpenAPI document.

        Returns:
            A :class:`~smsmfa.web.File` of JSON, or a :class:`~smsmfa.web.Problem`.
        """
        try:
            answer = early(method, path, prefix)
            if answer is not None:
                return answer
            call, id = find(method, path)  # noqa: A001
            asked = self._read(call, id, lowered(headers), body)
            del headers, body  # a traceback with locals must show neither token nor code
        except Refused as refused:
            return refused.answer
        try:
            return self._answer(asked)
        except Refused as refused:
            return refused.answer
        except SmsMfaError as error:
            return refusals.problem(error, call)

    def _answer(self, asked: Asked) -> Answer:
        answer = {
            "associate": self._associate,
            "challenge": self._challenge,
            "verify": self._verify,
            "recover": self._recover,
            "renew_recovery_codes": self._renew_recovery_codes,
            "list_authenticators": self._list_authenticators,
            "delete_authenticator": self._delete_authenticator,
        }[asked.call.name]
        return answer(asked)

    def _associate(self, asked: Asked) -> Answer:
        body: MfaAssociate = asked.body
        channel = self._channel(body.oob_channels[0] if body.oob_channels else SMS)
        challenge = self._enroller.start(
            asked.user_id, body.phone_number, region=body.region, replace=body.replace, proof=asked.token.proof,
            locale=asked.language, channel=channel,
        )  # fmt: skip
        return self._sent(challenge)

    def _challenge(self, asked: Asked) -> Answer:
        body: MfaChallenge = asked.body
        channel = self._channel(body.oob_channel) if body.oob_channel else None
        if body.oob_code is None:
            challenge = self._verifier.challenge(
                asked.user_id, phone_id=body.authenticator_id, locale=asked.language, channel=channel or SMS
            )
            return self._sent(challenge)
        kind, challenge_id = split(body.oob_code)
        if kind == ENROLL:
            return self._sent(self._enroller.resend(asked.user_id, challenge_id, channel=channel))
        return self._sent(self._verifier.resend(asked.user_id, challenge_id, channel=channel))

    def _verify(self, asked: Asked) -> Answer:
        body: MfaVerify = asked.body
        kind, challenge_id = split(body.oob_code)
        if kind == ENROLL:
            enrolled = self._enroller.confirm(asked.user_id, challenge_id, body.binding_code, retry_key=asked.retry_key)
            return self._verified(asked, enrolled.verification, enrolled.recovery_codes)
        proof = self._verifier.verify(asked.user_id, challenge_id, body.binding_code, retry_key=asked.retry_key)
        return self._verified(asked, proof, ())

    def _recover(self, asked: Asked) -> Answer:
        body: MfaRecover = asked.body
        proof = self._verifier.recover(asked.user_id, body.recovery_code, retry_key=asked.retry_key)
        return self._verified(asked, proof, proof.recovery_codes)

    def _renew_recovery_codes(self, asked: Asked) -> Answer:
        codes = self._enroller.new_recovery_codes(asked.user_id, proof=asked.token.proof, retry_key=asked.retry_key)
        return as_json(MfaRecoveryCodes(list(codes)))

    def _list_authenticators(self, asked: Asked) -> Answer:
        return self._listed(self._verifier.status(asked.user_id))

    def _delete_authenticator(self, asked: Asked) -> Answer:
        self._enroller.remove(asked.user_id, asked.id, proof=asked.token.proof)
        return as_json(None, 204)


class AsyncApi(ApiBase):
    """:class:`Api` for asyncio."""

    def __init__(self, pages: AsyncSecondStep) -> None:
        super().__init__(pages)
        self._enroller, self._verifier = pages.enroller, pages.verifier

    async def begin(self, user_id: UserId) -> dict[str, Any] | None:
        """Like :meth:`Api.begin`."""
        checked_user_id(user_id)
        return self._required(user_id, await self._verifier.status(user_id))

    async def finish(self, mfa_token: object) -> UserId:
        """Like :meth:`Api.finish`."""
        token = self._finished(mfa_token)
        del mfa_token
        await self._verifier.check_proof(token.user_id, token.proof)
        return token.user_id

    async def handle(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, prefix: str = ""
    ) -> Answer:
        """Like :meth:`Api.handle`."""
        try:
            answer = early(method, path, prefix)
            if answer is not None:
                return answer
            call, id = find(method, path)  # noqa: A001
            asked = self._read(call, id, lowered(headers), body)
            del headers, body  # a traceback with locals must show neither token nor code
        except Refused as refused:
            return refused.answer
        try:
            return await self._answer(asked)
        except Refused as refused:
            return refused.answer
        except SmsMfaError as error:
            return refusals.problem(error, call)

    async def _answer(self, asked: Asked) -> Answer:
        answer = {
            "associate": self._associate,
            "challenge": self._challenge,
            "verify": self._verify,
            "recover": self._recover,
            "renew_recovery_codes": self._renew_recovery_codes,
            "list_authenticators": self._list_authenticators,
            "delete_authenticator": self._delete_authenticator,
        }[asked.call.name]
        return await answer(asked)

    async def _associate(self, asked: Asked) -> Answer:
        body: MfaAssociate = asked.body
        channel = self._channel(body.oob_channels[0] if body.oob_channels else SMS)
        challenge = await self._enroller.start(
            asked.user_id, body.phone_number, region=body.region, replace=body.replace, proof=asked.token.proof,
            locale=asked.language, channel=channel,
        )  # fmt: skip
        return self._sent(challenge)

    async def _challenge(self, asked: Asked) -> Answer:
        body: MfaChallenge = asked.body
        channel = self._channel(body.oob_channel) if body.oob_channel else None
        if body.oob_code is None:
            challenge = await self._verifier.challenge(
                asked.user_id, phone_id=body.authenticator_id, locale=asked.language, channel=channel or SMS
            )
            return self._sent(challenge)
        kind, challenge_id = split(body.oob_code)
        if kind == ENROLL:
            return self._sent(await self._enroller.resend(asked.user_id, challenge_id, channel=channel))
        return self._sent(await self._verifier.resend(asked.user_id, challenge_id, channel=channel))

    async def _verify(self, asked: Asked) -> Answer:
        body: MfaVerify = asked.body
        kind, challenge_id = split(body.oob_code)
        if kind == ENROLL:
            enrolled = await self._enroller.confirm(
                asked.user_id, challenge_id, body.binding_code, retry_key=asked.retry_key
            )
            return self._verified(asked, enrolled.verification, enrolled.recovery_codes)
        proof = await self._verifier.verify(asked.user_id, challenge_id, body.binding_code, retry_key=asked.retry_key)
        return self._verified(asked, proof, ())

    async def _recover(self, asked: Asked) -> Answer:
        body: MfaRecover = asked.body
        proof = await self._verifier.recover(asked.user_id, body.recovery_code, retry_key=asked.retry_key)
        return self._verified(asked, proof, proof.recovery_codes)

    async def _renew_recovery_codes(self, asked: Asked) -> Answer:
        codes = await self._enroller.new_recovery_codes(
            asked.user_id, proof=asked.token.proof, retry_key=asked.retry_key
        )
        return as_json(MfaRecoveryCodes(list(codes)))

    async def _list_authenticators(self, asked: Asked) -> Answer:
        return self._listed(await self._verifier.status(asked.user_id))

    async def _delete_authenticator(self, asked: Asked) -> Answer:
        await self._enroller.remove(asked.user_id, asked.id, proof=asked.token.proof)
        return as_json(None, 204)
