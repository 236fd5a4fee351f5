"""The second step as pages, for threads and for asyncio."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from ..config import FactorConfig
from ..core.arguments import PROOF_AGE
from ..enroller import AsyncEnroller, Enroller
from ..events import Listener
from ..exceptions import CodeRejected, ProofRequired, RateLimited, SmsMfaError
from ..typing import AsyncSender, AsyncStore, Clock, Sender, Store
from ..verifier import AsyncVerifier, Verifier
from .account import AccountPages, AsyncAccountPages
from .base import CONTENT_SECURITY_POLICY, LOGIN, NEW_NUMBER, question_of
from .requests import Answer, Request
from .screens import log
from .words import Translate

if TYPE_CHECKING:
    from ..values import Challenge
    from .visit import UserId, Visit


class SecondStep(AccountPages):
    """The second step of a login as pages. It knows no framework: an adapter calls it.

    Args:
        config: the configuration.
        store: keeps the records.
        sender: sends the messages.
        login: the application's page that asks for the password. Strangers are sent there.
        home: where a user goes who wanted to go nowhere else.
        channels: the channels that the sender has: ``"sms"``, ``"voice"``, ``"whatsapp"``.
        translate: returns the :class:`~smsmfa.web.words.Texts` for a language; by default English.
        content_security_policy: the header of this name. Change it if your own templates load other files.
        on_event: as for :class:`~smsmfa.Enroller`.
        clock: a function like :func:`time.time_ns`.

    Raises:
        ConfigurationError: an argument is of the wrong kind.
    """

    def __init__(
        self, config: FactorConfig, store: Store, sender: Sender, *, login: str = "/login", home: str = "/",
        channels: Sequence[str] = ("sms",), translate: Translate | None = None,
        content_security_policy: str = CONTENT_SECURITY_POLICY, on_event: Listener | None = None,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        super().__init__(config, login, home, channels, translate, content_security_policy, clock)
        self.enroller: Enroller = Enroller(config, store, sender, on_event=on_event, clock=clock)
        self.verifier: Verifier = Verifier(config, store, sender, on_event=on_event, clock=clock)

    def begin(self, request: Request, user_id: UserId, *, next: str | None = None) -> Answer:  # noqa: A002
        """Begin the second step of a user who gave the right password. It sends the code.

        Args:
            request: the request that brought the password.
            user_id: the user.
            next: a path of the same site to go to afterwards; any other address becomes ``home``. ``None``: the page
                that the visitor asked for before the login, or ``home``.

        Returns:
            A redirect to the page for the number or the code, or to ``next`` if no second step is needed.

        Raises:
            TypeError: ``user_id`` cannot be a user id.
        """
        try:
            status = self.verifier.status(user_id)
        except SmsMfaError as error:
            return self._failed(request, error)
        visit = self._begun(request, user_id, next)
        if not status.enabled:
            return self._go(visit.next, renew=self._enter(request, visit, None))
        visit.save(request.session)
        if not status.enrolled:
            return self._see(request, "enrol")
        try:
            self._asked(request, visit, self.verifier.challenge(user_id, locale=request.language))
        except SmsMfaError as error:
            log(error)
            self._refused(request, visit, error)
        return self._see(request, "code")

    def fresh(self, request: Request, max_age: timedelta = PROOF_AGE, *, back: str | None = None) -> Answer | None:
        """Return ``None`` for a user whose last code is fresh, or else the answer to give: a step-up.

        Args:
            request: a request to a page of the application.
            max_age: how old the last code may be, at most 10 minutes.
            back: where to go afterwards. By default the page itself, or for a form the page that it was on.

        Raises:
            ValueError: ``max_age`` is out of range.
        """
        answer, visit = self.required(request), self.visit(request)
        if answer is not None or visit is None or not self.config.enabled:
            return answer
        try:
            self.verifier.check_proof(visit.user_id, visit.proof, max_age=max_age)
        except ProofRequired as error:
            return self._stale(request, error, back)
        except SmsMfaError as error:
            return self._failed(request, error)
        return None

    def handle(self, request: Request) -> Answer:
        """Answer a request to one of our pages, by ``request.page``. No request makes it raise."""
        visit = self.visit(request)
        early = self._early(request, visit)
        if early is not None or visit is None:
            return early or self._log_in(request)
        try:
            return self._answer(request, visit)
        except ProofRequired:
            return self._step_up(request, self._back(request, visit))
        except SmsMfaError as error:
            return self._failed(request, error)

    def _answer(self, request: Request, visit: Visit) -> Answer:
        get, post = {
            "enrol": (self._get_enrol, self._post_enrol),
            "enrol/code": (self._get_code, self._post_confirm),
            "enrol/code/resend": (self._get_code, self._post_resend),
            "code": (self._get_code, self._post_code),
            "code/resend": (self._get_code, self._post_resend),
            "step-up": (self._get_code, self._post_code),
            "step-up/resend": (self._get_code, self._post_resend),
            "recovery": (self._get_recovery, self._post_recovery),
            "account": (self._get_account, self._get_account),
            "account/prefer": (self._get_account, self._post_prefer),
            "account/remove": (self._get_remove, self._post_remove),
            "account/recovery-codes": (self._get_account, self._post_recovery_codes),
        }[request.page]
        page = post if request.method == "POST" else get
        return page(request, visit)

    # --- the number

    def _get_enrol(self, request: Request, visit: Visit) -> Answer:
        status = self.verifier.status(visit.user_id)
        if status.enrolled and not visit.is_in:
            return self._see(request, "code")
        if status.enrolled:
            self.verifier.check_proof(visit.user_id, visit.proof)
        return self._screens.enrol(request, visit, status, None, onward=self._next(request))

    def _post_enrol(self, request: Request, visit: Visit) -> Answer:
        form = request.form
        try:
            challenge = self.enroller.start(
                visit.user_id, form.get("number", ""), region=form.get("region"), replace=form.get("replace") or None,
                proof=visit.proof, locale=request.language,
            )  # fmt: skip
        except ProofRequired:
            raise
        except SmsMfaError as error:
            status = self.verifier.status(visit.user_id)
            return self._screens.enrol(request, visit, status, error, onward=self._next(request))
        self._asked(request, visit, challenge)
        return self._ask(request, NEW_NUMBER)

    def _post_confirm(self, request: Request, visit: Visit) -> Answer:
        form = request.form
        try:
            enrolled = self.enroller.confirm(
                visit.user_id,
                form.get("challenge", ""),
                form.get("code", ""),
                retry_key=self._retry_key(request, visit),
            )
        except SmsMfaError as error:
            return self._draw_code(request, visit, error)
        renew = self._enter(request, visit, enrolled.verification)
        onward = self._next(request) or visit.next
        if not enrolled.recovery_codes:
            return self._go(onward, renew=renew)
        return self._screens.recovery_codes(
            request, visit, enrolled.recovery_codes, onward=onward, recovered=False, renew=renew
        )

    # --- the code

    def _get_code(self, request: Request, visit: Visit) -> Answer:
        return self._draw_code(request, visit, None)

    def _draw_code(self, request: Request, visit: Visit, error: SmsMfaError | None) -> Answer:
        return self._code_page(request, visit, self.verifier.status(visit.user_id), error)

    def _post_code(self, request: Request, visit: Visit) -> Answer:
        question, form = question_of(request), request.form
        if question is LOGIN and visit.is_in:
            return self._go(visit.next)
        try:
            proof = self.verifier.verify(
                visit.user_id, form.get("challenge", ""), form.get("code", ""), purpose=question.purpose,
                retry_key=self._retry_key(request, visit),
            )  # fmt: skip
        except SmsMfaError as error:
            if isinstance(error, RateLimited):
                self._refused(request, visit, error)
            return self._draw_code(request, visit, error)
        renew = self._enter(request, visit, proof)
        return self._go(
            visit.next if question is LOGIN else self._next(request) or request.root + self.home, renew=renew
        )

    def _post_resend(self, request: Request, visit: Visit) -> Answer:
        question = question_of(request)
        if question is LOGIN and visit.is_in:
            return self._go(visit.next)
        try:
            challenge = self._send(request, visit)
        except CodeRejected:  # the pending number is gone, or has waited too long
            return self._enrol(request)
        except SmsMfaError as error:
            self._refused(request, visit, error)
            return self._draw_code(request, visit, error)
        self._asked(request, visit, challenge)
        return self._ask(request, question)

    def _send(self, request: Request, visit: Visit) -> Challenge:
        """Send a code again, or a new one: to another number, or if the last one cannot be sent again."""
        question, form = question_of(request), request.form
        phone_id, channel = form.get("phone"), self._channel(request)
        if question is NEW_NUMBER:
            last = form.get("challenge") or visit.pending
            return self.enroller.resend(visit.user_id, last, channel=channel)
        try:
            if not phone_id:
                return self.verifier.resend(visit.user_id, form.get("challenge", ""), channel=channel)
        except CodeRejected:
            pass  # used, or unknown: the visitor wants a code all the same
        return self.verifier.challenge(
            visit.user_id, phone_id=phone_id or None, purpose=question.purpose, locale=request.language,
            channel=channel or "sms",
        )  # fmt: skip

    # --- recovery

    def _get_recovery(self, request: Request, visit: Visit) -> Answer:
        return self._screens.recovery(request, visit, None, onward=self._next(request))

    def _post_recovery(self, request: Request, visit: Visit) -> Answer:
        onward = self._next(request)
        try:
            proof = self.verifier.recover(
                visit.user_id, request.form.get("code", ""), retry_key=self._retry_key(request, visit)
            )
        except SmsMfaError as error:
            return self._screens.recovery(request, visit, error, onward=onward)
        renew = self._enter(request, visit, proof)
        return self._screens.recovery_codes(
            request, visit, proof.recovery_codes, onward=onward or visit.next, recovered=True, renew=renew
        )


class AsyncSecondStep(AsyncAccountPages):
    """:class:`smsmfa.web.SecondStep` for asyncio."""

    def __init__(
        self, config: FactorConfig, store: AsyncStore, sender: AsyncSender, *, login: str = "/login", home: str = "/",
        channels: Sequence[str] = ("sms",), translate: Translate | None = None,
        content_security_policy: str = CONTENT_SECURITY_POLICY, on_event: Listener | None = None,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        super().__init__(config, login, home, channels, translate, content_security_policy, clock)
        self.enroller: AsyncEnroller = AsyncEnroller(config, store, sender, on_event=on_event, clock=clock)
        self.verifier: AsyncVerifier = AsyncVerifier(config, store, sender, on_event=on_event, clock=clock)

    async def begin(self, request: Request, user_id: UserId, *, next: str | None = None) -> Answer:  # noqa: A002
        """Begin the second step of a user who gave the right password. It sends the code.

        Args:
            request: the request that brought the password.
            user_id: the user.
            next: a path of the same site to go to afterwards; any other address becomes ``home``. ``None``: the page
                that the visitor asked for before the login, or ``home``.

        Returns:
            A redirect to the page for the number or the code, or to ``next`` if no second step is needed.

        Raises:
            TypeError: ``user_id`` cannot be a user id.
        """
        try:
            status = await self.verifier.status(user_id)
        except SmsMfaError as error:
            return self._failed(request, error)
        visit = self._begun(request, user_id, next)
        if not status.enabled:
            return self._go(visit.next, renew=self._enter(request, visit, None))
        visit.save(request.session)
        if not status.enrolled:
            return self._see(request, "enrol")
        try:
            self._asked(request, visit, await self.verifier.challenge(user_id, locale=request.language))
        except SmsMfaError as error:
            log(error)
            self._refused(request, visit, error)
        return self._see(request, "code")

    async def fresh(
        self, request: Request, max_age: timedelta = PROOF_AGE, *, back: str | None = None
    ) -> Answer | None:
        """Like :meth:`SecondStep.fresh`."""
        answer, visit = self.required(request), self.visit(request)
        if answer is not None or visit is None or not self.config.enabled:
            return answer
        try:
            await self.verifier.check_proof(visit.user_id, visit.proof, max_age=max_age)
        except ProofRequired as error:
            return self._stale(request, error, back)
        except SmsMfaError as error:
            return self._failed(request, error)
        return None

    async def handle(self, request: Request) -> Answer:
        """Like :meth:`SecondStep.handle`."""
        visit = self.visit(request)
        early = self._early(request, visit)
        if early is not None or visit is None:
            return early or self._log_in(request)
        try:
            return await self._answer(request, visit)
        except ProofRequired:
            return self._step_up(request, self._back(request, visit))
        except SmsMfaError as error:
            return self._failed(request, error)

    async def _answer(self, request: Request, visit: Visit) -> Answer:
        get, post = {
            "enrol": (self._get_enrol, self._post_enrol),
            "enrol/code": (self._get_code, self._post_confirm),
            "enrol/code/resend": (self._get_code, self._post_resend),
            "code": (self._get_code, self._post_code),
            "code/resend": (self._get_code, self._post_resend),
            "step-up": (self._get_code, self._post_code),
            "step-up/resend": (self._get_code, self._post_resend),
            "recovery": (self._get_recovery, self._post_recovery),
            "account": (self._get_account, self._get_account),
            "account/prefer": (self._get_account, self._post_prefer),
            "account/remove": (self._get_remove, self._post_remove),
            "account/recovery-codes": (self._get_account, self._post_recovery_codes),
        }[request.page]
        page = post if request.method == "POST" else get
        return await page(request, visit)

    # --- the number

    async def _get_enrol(self, request: Request, visit: Visit) -> Answer:
        status = await self.verifier.status(visit.user_id)
        if status.enrolled and not visit.is_in:
            return self._see(request, "code")
        if status.enrolled:
            await self.verifier.check_proof(visit.user_id, visit.proof)
        return self._screens.enrol(request, visit, status, None, onward=self._next(request))

    async def _post_enrol(self, request: Request, visit: Visit) -> Answer:
        form = request.form
        try:
            challenge = await self.enroller.start(
                visit.user_id, form.get("number", ""), region=form.get("region"), replace=form.get("replace") or None,
                proof=visit.proof, locale=request.language,
            )  # fmt: skip
        except ProofRequired:
            raise
        except SmsMfaError as error:
            status = await self.verifier.status(visit.user_id)
            return self._screens.enrol(request, visit, status, error, onward=self._next(request))
        self._asked(request, visit, challenge)
        return self._ask(request, NEW_NUMBER)

    async def _post_confirm(self, request: Request, visit: Visit) -> Answer:
        form = request.form
        try:
            enrolled = await self.enroller.confirm(
                visit.user_id,
                form.get("challenge", ""),
                form.get("code", ""),
                retry_key=self._retry_key(request, visit),
            )
        except SmsMfaError as error:
            return await self._draw_code(request, visit, error)
        renew = self._enter(request, visit, enrolled.verification)
        onward = self._next(request) or visit.next
        if not enrolled.recovery_codes:
            return self._go(onward, renew=renew)
        return self._screens.recovery_codes(
            request, visit, enrolled.recovery_codes, onward=onward, recovered=False, renew=renew
        )

    # --- the code

    async def _get_code(self, request: Request, visit: Visit) -> Answer:
        return await self._draw_code(request, visit, None)

    async def _draw_code(self, request: Request, visit: Visit, error: SmsMfaError | None) -> Answer:
        return self._code_page(request, visit, await self.verifier.status(visit.user_id), error)

    async def _post_code(self, request: Request, visit: Visit) -> Answer:
        question, form = question_of(request), request.form
        if question is LOGIN and visit.is_in:
            return self._go(visit.next)
        try:
            proof = await self.verifier.verify(
                visit.user_id, form.get("challenge", ""), form.get("code", ""), purpose=question.purpose,
                retry_key=self._retry_key(request, visit),
            )  # fmt: skip
        except SmsMfaError as error:
            if isinstance(error, RateLimited):
                self._refused(request, visit, error)
            return await self._draw_code(request, visit, error)
        renew = self._enter(request, visit, proof)
        return self._go(
            visit.next if question is LOGIN else self._next(request) or request.root + self.home, renew=renew
        )

    async def _post_resend(self, request: Request, visit: Visit) -> Answer:
        question = question_of(request)
        if question is LOGIN and visit.is_in:
            return self._go(visit.next)
        try:
            challenge = await self._send(request, visit)
        except CodeRejected:  # the pending number is gone, or has waited too long
            return self._enrol(request)
        except SmsMfaError as error:
            self._refused(request, visit, error)
            return await self._draw_code(request, visit, error)
        self._asked(request, visit, challenge)
        return self._ask(request, question)

    async def _send(self, request: Request, visit: Visit) -> Challenge:
        """Send a code again, or a new one: to another number, or if the last one cannot be sent again."""
        question, form = question_of(request), request.form
        phone_id, channel = form.get("phone"), self._channel(request)
        if question is NEW_NUMBER:
            last = form.get("challenge") or visit.pending
            return await self.enroller.resend(visit.user_id, last, channel=channel)
        try:
            if not phone_id:
                return await self.verifier.resend(visit.user_id, form.get("challenge", ""), channel=channel)
        except CodeRejected:
            pass  # used, or unknown: the visitor wants a code all the same
        return await self.verifier.challenge(
            visit.user_id, phone_id=phone_id or None, purpose=question.purpose, locale=request.language,
            channel=channel or "sms",
        )  # fmt: skip

    # --- recovery

    async def _get_recovery(self, request: Request, visit: Visit) -> Answer:
        return self._screens.recovery(request, visit, None, onward=self._next(request))

    async def _post_recovery(self, request: Request, visit: Visit) -> Answer:
        onward = self._next(request)
        try:
            proof = await self.verifier.recover(
                visit.user_id, request.form.get("code", ""), retry_key=self._retry_key(request, visit)
            )
        except SmsMfaError as error:
            return self._screens.recovery(request, visit, error, onward=onward)
        renew = self._enter(request, visit, proof)
        return self._screens.recovery_codes(
            request, visit, proof.recovery_codes, onward=onward or visit.next, recovered=True, renew=renew
        )
