"""Who may see a page, and where a visitor goes."""

from datetime import timedelta

import pytest
from support import a_config
from web.visitor import Site, Visitor, read

from smsmfa import Limits
from smsmfa.exceptions import (
    ConfigurationError,
    DeliveryError,
    DeliveryRejected,
    FactorDisabled,
    Locked,
    NotEnrolled,
    PhoneNumberError,
    ProofRequired,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    StoreContention,
    StoreError,
)
from smsmfa.limiter import Limit
from smsmfa.web import File, Request
from smsmfa.web.base import CONTENT_SECURITY_POLICY, LOGIN, NEW_NUMBER, STEP_UP, StepBase, question_of
from smsmfa.web.visit import begun

NOW = 1_700_000_000


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def alice(site):
    """Alice, who has given the password."""
    site.enrol()
    return Visitor(site).log_in()


class TestArguments:
    @pytest.mark.parametrize("name", ["login", "home"])
    @pytest.mark.parametrize("address", ["", "login", "//evil.test", "https://evil.test/", "/a b", "/é", None])
    def test_addresses(self, name, address):
        """Where the pages lead to is a path of the same site."""
        with pytest.raises(ConfigurationError, match=f'^{name}: a path of the same site, for example "/{name}"'):
            Site(**{name: address})

    @pytest.mark.parametrize("channels", [[], ["voice"], ["sms", "pigeon"], ["sms", None], "sms"])
    def test_channels(self, channels):
        """The channels are known ones, with SMS among them."""
        with pytest.raises(ConfigurationError, match="channels: those of sms, voice, whatsapp that the sender has"):
            Site(channels=channels)

    def test_clock(self):
        """A clock that is none is refused."""
        with pytest.raises(ConfigurationError, match="clock"):
            Site(clock=lambda: 1.5)

    def test_policy(self, site):
        """The Content-Security-Policy allows nothing inline and nothing of other sites, and can be changed."""
        assert "unsafe" not in CONTENT_SECURITY_POLICY
        assert "default-src 'none'" in CONTENT_SECURITY_POLICY
        own = "default-src 'none'; img-src 'self'"

        assert own == Visitor(Site(content_security_policy=own)).log_in().answers[-1].headers["Content-Security-Policy"]

    def test_addresses_are_used(self):
        """Strangers go to ``login``, and who wanted to go nowhere else goes ``home``."""
        site = Site(login="/in?x=1", home="/desk")
        site.enrol()

        assert "/in?x=1" == Visitor(site).visit("/account").location
        assert "/desk" == Visitor(site).log_in().enter().at


class TestWanted:
    """The page that a stranger asked for."""

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_after_the_login(self, site, method):
        """After the login a stranger comes to the page that was asked for."""
        site.enrol()
        visitor = Visitor(site)
        visitor.visit("/notes?page=2", method=method)

        assert "/notes?page=2" == visitor.log_in().enter().at

    def test_named(self, site):
        """A page that the application names comes first, also an address of another site, which is no page."""
        site.enrol()
        places = []
        for named in ("/named", "https://evil.example/"):
            visitor = Visitor(site)
            visitor.visit("/notes")
            places.append(visitor.log_in(to=named).enter().at)

        assert ["/named", "/"] == places

    @pytest.mark.parametrize("more", [{"method": "POST"}, {"accept": "application/json"}])
    def test_no_page(self, site, more):
        """A form and a call of JSON are no page to come back to."""
        site.enrol()
        visitor = Visitor(site)
        wants_json = more.pop("accept", None) is not None
        visitor.visit("/notes", **more, wants_json=wants_json)

        assert "/" == visitor.log_in().enter().at

    def test_stranger_again(self, site):
        """Whoever is logged out is still a stranger, whatever page was asked for."""
        visitor = Visitor(site)
        visitor.visit("/notes")

        assert (None, "/login") == (visitor.user_id, visitor.visit("/notes").location)


class TestFiles:
    @pytest.mark.parametrize("name, kind", [("smsmfa.css", "text/css"), ("smsmfa.js", "text/javascript")])
    @pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
    def test_files(self, site, name, kind, method):
        """Style sheet and script are for everybody, and may be kept for a year."""
        answer = Visitor(site).ask(f"/mfa/static/{name}", method)

        assert (File, 200, f"{kind}; charset=utf-8") == (type(answer), answer.status, answer.content_type)
        assert "public, max-age=31536000, immutable" == answer.headers["Cache-Control"]
        assert len(answer.body) > 1000

    def test_version(self, alice):
        """Their addresses on a page change with their content."""
        context = alice.answers[-1].context

        assert context["css_url"].startswith("/mfa/static/smsmfa.css?v=")
        assert context["css_url"].split("=")[1] != context["js_url"].split("=")[1]

    @pytest.mark.parametrize("name", ["static/", "static/../base.py", "static/smsmfa.html", "static", "templates/x"])
    def test_no_other_files(self, site, name):
        """Nothing else is served as a file."""
        assert "/login" == Visitor(site).ask(f"/mfa/{name}").location


class TestAccess:
    def test_required(self, site, alice):
        """A page of the application is for whoever is in; others go on to the step or to the password."""
        assert "/login" == Visitor(site).visit("/account").location
        assert "/mfa/code" == alice.visit("/account").location
        assert alice.enter().visit("/account") is None

    def test_json(self, site, alice):
        """A client that wants JSON is told that the second step is missing, whether the password was given or not."""
        for visitor in (Visitor(site), alice):
            answer = visitor.visit("/account", wants_json=True)
            assert (401, 401, "Unauthorized", "second_step_required") == (
                answer.status, answer.body["status"], answer.body["title"], answer.body["code"]
            )  # fmt: skip
        assert 401 == Visitor(site).ask("/mfa/account", wants_json=True).status

    @pytest.mark.parametrize(
        "page, expected",
        [
            ("code/resend", "/mfa/code"),
            ("enrol/code/resend", "/mfa/enrol/code"),
            ("step-up", "/mfa/code"),
            ("step-up/resend", "/mfa/code"),
            ("account", "/mfa/code"),
            ("account/remove", "/mfa/code"),
            ("nonsense", "/mfa/code"),
            ("", "/mfa/code"),
            ("code/", "/mfa/code"),
        ],
    )
    def test_halfway(self, alice, page, expected):
        """Who is halfway comes from each address that is not for them to one that is."""
        assert expected == alice.ask(f"/mfa/{page}").location

    @pytest.mark.parametrize(
        "page, expected",
        [
            ("code/resend", "/mfa/code"),
            ("step-up/resend", "/mfa/step-up"),
            ("enrol/code/resend", "/mfa/enrol/code"),
            ("account/prefer", "/mfa/account"),
            ("account/recovery-codes", "/mfa/account"),
            ("nonsense", "/mfa/account"),
            ("code", "/"),
            ("enrol/code", "/mfa/account"),
        ],
    )
    def test_in(self, alice, page, expected):
        """Who is in comes from the address of a form to the page that has it, and from others to the account."""
        assert expected == alice.enter().ask(f"/mfa/{page}").location

    def test_enrol_code_halfway(self, alice):
        """Who has a number and no pending one has no use for the page of a new number's code."""
        assert "/mfa/code" == alice.ask("/mfa/enrol/code").location

    def test_stale(self, site, alice):
        """A client that wants JSON is told that a fresh code is missing, and a page leads to the step-up."""
        alice.enter()
        site.clock.move(minutes=11)
        answer = alice.sensitive(wants_json=True)

        assert (403, "proof_required") == (answer.status, answer.body["code"])
        assert "/mfa/step-up?next=/danger" == alice.sensitive().location
        assert "/mfa/step-up?next=/settings" == alice.sensitive(back="/settings").location

    def test_forged(self, alice):
        """A form without the token does nothing."""
        answer = alice.ask("/mfa/code", "POST", {"smsmfa_token": "x"})

        assert (403, "smsmfa/expired.html") == (answer.status, answer.template)
        assert "/mfa/code" == answer.context["go_on"]

    def test_turned_off(self, site, alice):
        """While the factor is turned off only the account has a page."""
        site.configure(a_config(enabled=False))
        assert "/login" == alice.ask("/mfa/code").location
        alice.log_in()

        assert "/" == alice.ask("/mfa/step-up").location
        assert "smsmfa/account.html" == alice.ask("/mfa/account").template

    def test_root(self, site):
        """Under a path of the server the pages, the password and the home page are found below it."""
        site.enrol()
        visitor = Visitor(site, root="/shop")
        assert "/shop/login" == visitor.get("code").at
        assert "/shop/mfa/code" == visitor.log_in().at
        assert "/shop/mfa/static/smsmfa.css" in visitor.page.html
        assert "/shop/" == visitor.enter().at
        visitor.get("account")
        assert "/shop/" == next(href for text, href in visitor.page.links if text == "Back")
        site.clock.move(minutes=11)
        assert "/shop/mfa/step-up?next=/shop/" == visitor.sensitive("/x", "POST").location
        visitor.get("step-up").submit("Send a code")
        assert "/shop/" == next(href for text, href in visitor.page.links if text == "Cancel")
        assert "/shop/" == visitor.enter().at
        site.configure(a_config(enabled=False))

        assert "/shop/" == visitor.get("step-up").at


class TestSaid:
    """Why no code was sent is said by the next page too."""

    def said(self, error, *, later=0, **status):
        """Return what is said of an error some seconds later."""
        site = Site()
        site.enrol()
        request = Request(method="GET", session={})
        visit = begun({}, "alice", "/", NOW)
        site.plain._refused(request, visit, error)
        site.clock.move(seconds=later)
        return site.plain._said(site.plain.visit(request), site.status())

    @pytest.mark.parametrize(
        "error",
        [
            DeliveryError("a"),
            DeliveryRejected("a"),
            RecipientRejected("a"),
            RecipientOptedOut("a"),
            SenderMisconfigured("a"),
            StoreError("a"),
            StoreContention("a"),
            PhoneNumberError("region"),
            RateLimited("carrier"),
            RateLimited("user", timedelta(minutes=2)),
        ],
    )
    def test_again(self, error):
        """The same error is said again, without the words that were not for the visitor."""
        said = self.said(error)

        assert type(error) is type(said)
        assert vars(said) == {**vars(error), "retry_after": said.retry_after} if hasattr(said, "retry_after") else True
        assert "a" not in said.args

    def test_wait(self):
        """The time to wait goes down, and when it is over nothing is said."""
        error = RateLimited("user", timedelta(minutes=2))

        assert timedelta(minutes=1) == self.said(error, later=60).retry_after
        assert self.said(error, later=120) is None

    def test_unknown_time(self):
        """If nobody knows for how long, no time is said."""
        assert self.said(RateLimited("total"), later=400).retry_after is None

    @pytest.mark.parametrize(
        "error",
        [RateLimited("resend", timedelta(seconds=9)), Locked(), NotEnrolled(), FactorDisabled(), ProofRequired()],
    )
    def test_nothing(self, error):
        """What is over soon, or what the user's status tells, is not said again."""
        assert self.said(error) is None

    def test_guesses(self):
        """That the guesses are used up is said only while they are."""
        assert self.said(RateLimited("guesses", timedelta(hours=1))) is None

    def test_guesses_used_up(self):
        """While the guesses are used up, it is said until when."""
        site = Site(a_config(limits=Limits(guesses=Limit(1, timedelta(hours=1)))))
        site.enrol()
        visitor = Visitor(site).log_in()
        form, code = visitor.form("Continue"), f"{(int(site.outbox.code) + 1) % 10**6:06d}"
        for _ in range(2):
            visitor.enter(code, form=form, nonce="")

        assert "in about 60 minutes" in visitor.get("code").page.problem

    def test_over(self, alice):
        """A code that was sent, and getting in, end what was said."""
        site = alice.site
        site.outbox.outcomes = [DeliveryRejected("no")]
        site.clock.move(minutes=6)
        alice.log_in()
        assert alice.entry["said"]
        alice.submit("Send a code")
        assert "said" not in alice.entry


class TestCodePage:
    def test_purpose(self, site, alice):
        """A page is about the challenge of its own purpose, also after another browser has replaced it."""
        alice.enter()
        site.clock.move(minutes=11)
        login = Visitor(site).log_in().form("Continue").fields["challenge"]
        step_up = alice.get("step-up").submit("Send a code").form("Continue").fields["challenge"]
        assert login != step_up
        site.clock.move(minutes=1)
        other = Visitor(site).log_in()

        assert other.ask("/mfa/code").context["challenge"] not in {login, step_up}
        assert step_up == alice.ask("/mfa/step-up").context["challenge"]

    @pytest.mark.parametrize("ago, seconds", [(0, "30"), (29.2, "1"), (30, "0"), (60, "0")])
    def test_resend(self, alice, ago, seconds):
        """The page says after how many seconds the code can be sent again, rounded up."""
        alice.site.clock.move(seconds=ago)
        context = alice.ask("/mfa/code").context

        assert seconds == context["resend_seconds"]
        assert ("" if seconds == "0" else "You can ask for another code in", True) == (
            context["resend_wait"][:31], context["live"]
        )  # fmt: skip

    @pytest.mark.parametrize("page, question", [("code", LOGIN), ("step-up", STEP_UP), ("enrol/code", NEW_NUMBER)])
    def test_question(self, page, question):
        """A page and its button that sends another code are about the same."""
        for one in (page, f"{page}/resend"):
            assert question is question_of(Request(method="GET", session={}, page=one))

    def test_next(self, site, alice):
        """Where a step-up leads travels through every form and redirect, and is checked at each."""
        alice.enter()
        site.clock.move(minutes=11)
        alice.get("step-up?next=/danger").submit("Send a code")
        assert "/mfa/step-up?next=/danger" == alice.at
        alice.submit("Continue", next="//evil.test", code=site.outbox.code)

        assert "/" == alice.at

    def test_back(self, site, alice):
        """After a step-up the visitor comes back to the number that was to be changed."""
        alice.enter()
        site.clock.move(minutes=11)

        assert "/mfa/step-up?next=/mfa/enrol%3Fnext%3D/mfa/account" == alice.ask("/mfa/enrol").location
        assert "/mfa/step-up?next=/mfa/enrol%3Fnext%3D/x%26replace%3D%2526" == (
            alice.ask("/mfa/enrol?next=/x&replace=%26").location
        )
        assert "/mfa/step-up?next=/mfa/account" == (
            alice.ask("/mfa/account/recovery-codes", "POST", {"smsmfa_token": alice.entry["token"]}).location
        )

    def test_pending(self, site):
        """The code of a new number is asked for at its page, and a dead one renewed by what the session knows."""
        visitor = Visitor(site).log_in().submit("Send a code", number="4155552671")
        assert ("/mfa/enrol/code", "smsmfa/code.html") == (visitor.at, visitor.ask("/mfa/enrol/code").template)
        site.clock.move(minutes=6)
        visitor.enter().submit("Send a code", challenge="").enter()

        assert "alice" == visitor.user_id

    def test_channel(self):
        """Only channels that the sender has are asked for."""
        site = Site(channels=["sms", "voice"])
        for channel, expected in [("voice", "voice"), ("sms", "sms"), ("whatsapp", None), ("", None), ("x", None)]:
            assert expected == site.plain._channel(Request(method="POST", session={}, form={"channel": channel}))

    def test_reset(self, site, alice):
        """A code of a user who was reset leads to the page for the number, and of one who is in too."""
        site.factor.enroller.reset("alice")
        form = {"smsmfa_token": alice.entry["token"], "code": site.outbox.code}

        assert "/mfa/enrol" == alice.ask("/mfa/code", "POST", form).location
        assert "/mfa/enrol" == alice.ask("/mfa/code").location
        assert "/mfa/enrol" == alice.ask("/mfa/enrol/code").location


def test_failed(site, alice):
    """A request that cannot be decided is told so, with the status of the error, and lets nobody in."""
    request = Request(method="GET", session=alice.session, url="/mfa/code?a=b")
    page = site.plain._failed(request, StoreError("secret words"))

    assert (503, "/mfa/code?a=b") == (page.status, page.context["go_on"])
    assert "secret words" not in read(page).html
    problem = site.plain._failed(Request(method="GET", session={}, wants_json=True), RateLimited("user", timedelta(1)))
    assert (429, "86400", "no-store") == (
        problem.status, problem.headers["Retry-After"], problem.headers["Cache-Control"]
    )  # fmt: skip


def test_before_epoch(site):
    """A clock before the epoch breaks nothing."""
    site.clock.now = -(10**18)
    site.enrol()

    assert "alice" == Visitor(site).log_in().enter().user_id


def test_nothing_waits():
    """What the twins share has no coroutine."""
    assert [] == [
        name for name, one in vars(StepBase).items() if getattr(one, "__code__", None) and one.__code__.co_flags & 0x80
    ]
