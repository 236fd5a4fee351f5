"""The account page: what someone who is in can change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import NotEnrolled, ProofRequired
from .base import StepBase

if TYPE_CHECKING:
    from ..enroller import AsyncEnroller, Enroller
    from ..verifier import AsyncVerifier, Verifier
    from .requests import Answer, Request
    from .visit import Visit


class AccountPages(StepBase):
    """The pages under ``account``, for threads. A change without a fresh code raises ``ProofRequired``."""

    enroller: Enroller
    verifier: Verifier

    def _get_account(self, request: Request, visit: Visit) -> Answer:
        return self._screens.account(request, visit, self.verifier.status(visit.user_id))

    def _post_prefer(self, request: Request, visit: Visit) -> Answer:
        self.enroller.prefer(visit.user_id, request.form.get("phone", ""), proof=visit.proof)
        return self._see(request, "account")

    def _get_remove(self, request: Request, visit: Visit) -> Answer:
        status = self.verifier.status(visit.user_id)
        phone = next((one for one in status.phones if one.id == request.query.get("phone")), None)
        if phone is None:
            return self._see(request, "account")
        self.verifier.check_proof(visit.user_id, visit.proof)
        return self._screens.remove(request, visit, phone, last=len(status.phones) == 1)

    def _post_remove(self, request: Request, visit: Visit) -> Answer:
        phone_id = request.form.get("phone", "")
        try:
            self.enroller.remove(visit.user_id, phone_id, proof=visit.proof)
        except (NotEnrolled, ProofRequired):  # a number that is removed takes its proof with it: see the second click
            if any(one.id == phone_id for one in self.verifier.status(visit.user_id).phones):
                raise
        return self._see(request, "account")

    def _post_recovery_codes(self, request: Request, visit: Visit) -> Answer:
        codes = self.enroller.new_recovery_codes(
            visit.user_id, proof=visit.proof, retry_key=self._retry_key(request, visit)
        )
        onward = f"{request.prefix}/account"
        return self._screens.recovery_codes(request, visit, codes, onward=onward, recovered=False, renew=False)


class AsyncAccountPages(StepBase):
    """:class:`AccountPages` for asyncio."""

    enroller: AsyncEnroller
    verifier: AsyncVerifier

    async def _get_account(self, request: Request, visit: Visit) -> Answer:
        return self._screens.account(request, visit, await self.verifier.status(visit.user_id))

    async def _post_prefer(self, request: Request, visit: Visit) -> Answer:
        await self.enroller.prefer(visit.user_id, request.form.get("phone", ""), proof=visit.proof)
        return self._see(request, "account")

    async def _get_remove(self, request: Request, visit: Visit) -> Answer:
        status = await self.verifier.status(visit.user_id)
        phone = next((one for one in status.phones if one.id == request.query.get("phone")), None)
        if phone is None:
            return self._see(request, "account")
        await self.verifier.check_proof(visit.user_id, visit.proof)
        return self._screens.remove(request, visit, phone, last=len(status.phones) == 1)

    async def _post_remove(self, request: Request, visit: Visit) -> Answer:
        phone_id = request.form.get("phone", "")
        try:
            await self.enroller.remove(visit.user_id, phone_id, proof=visit.proof)
        except (NotEnrolled, ProofRequired):  # a number that is removed takes its proof with it: see the second click
            if any(one.id == phone_id for one in (await self.verifier.status(visit.user_id)).phones):
                raise
        return self._see(request, "account")

    async def _post_recovery_codes(self, request: Request, visit: Visit) -> Answer:
        codes = await self.enroller.new_recovery_codes(
            visit.user_id, proof=visit.proof, retry_key=self._retry_key(request, visit)
        )
        onward = f"{request.prefix}/account"
        return self._screens.recovery_codes(request, visit, codes, onward=onward, recovered=False, renew=False)
