"""A Django site with the second step, its views, and visitors with a browser of their own."""

import shutil
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import mkdtemp

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import alogin, authenticate, get_user_model, login
from django.contrib.auth.views import LoginView, LogoutView
from django.core.checks.registry import registry
from django.core.management import call_command
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.test import Client, override_settings
from django.urls import include, path
from django.views import View
from stores.django import project
from support import Clock

from smsmfa import MemoryStore
from smsmfa.stores.django import settings as factor
from smsmfa.testing import RecordingSender
from smsmfa.web.django import (
    FreshSecondStepMixin,
    SecondStepExemptMixin,
    SecondStepRequiredMixin,
    checks,
    fresh_second_step,
    second_step_exempt,
    second_step_required,
)

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "smsmfa.web.django.SecondStepMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
NUMBER = "+14155552671"


# --- the views of the project


def home(request):
    return HttpResponse(f"Hello {request.user}")


async def async_home(request):
    return HttpResponse(f"Hello {await request.auser()}")


def sign_in(request):
    """A login of the project's own, that goes where ``to`` says, or answers as ``status`` says."""
    user = authenticate(request, username=request.POST["username"], password="password")
    login(request, user)
    status = int(request.GET.get("status", 302))
    response = HttpResponseRedirect(request.GET.get("to", "/")) if status == 302 else HttpResponse("ok", status=status)
    response.set_cookie("theme", "dark")
    return response


async def async_sign_in(request):
    await alogin(request, await get_user_model().objects.aget(username=request.POST["username"]))
    return JsonResponse({"next": "/"})


class Settings(SecondStepRequiredMixin, View):
    def get(self, request, name):
        return HttpResponse(f"{name} of {request.user}")


class AsyncSettings(SecondStepRequiredMixin, View):
    async def get(self, request):
        return HttpResponse("settings")


class Public(SecondStepExemptMixin, View):
    def get(self, request):
        return HttpResponse("public")


class Danger(FreshSecondStepMixin, View):
    second_step_max_age = timedelta(minutes=2)
    second_step_back = "/settings/"

    async def post(self, request):
        return HttpResponse("deleted")


@fresh_second_step(timedelta(minutes=5))
def danger(request):
    return HttpResponse("danger")


@second_step_required
def member(request):
    return HttpResponse(f"member {request.user}")


@second_step_required
async def async_member(request):
    return HttpResponse(f"member {await request.auser()}")


@second_step_exempt
def public(request):
    return HttpResponse("public")


urlpatterns = [
    path("", home),
    path("async/", async_home),
    path("accounts/login/", LoginView.as_view(template_name="login.html"), name="login"),
    path("accounts/leave/", LogoutView.as_view(next_page="/")),
    path("sign-in/", sign_in),
    path("async/sign-in/", async_sign_in),
    path("settings/<name>/", Settings.as_view()),
    path("async/settings/", AsyncSettings.as_view()),
    path("public/", public),
    path("public/class/", Public.as_view()),
    path("danger/", danger),
    path("danger/class/", Danger.as_view()),
    path("member/", member),
    path("async/member/", async_member),
    path("admin/", admin.site.urls),
    path("mfa/", include("smsmfa.web.django.urls")),
    path("api/mfa/", include("smsmfa.web.django.api_urls")),
]


# --- the site


#: The system checks of the app, which Django runs only while a site has the app.
CHECKS = {one for one in registry.registered_checks if one.__module__ == checks.__name__}
registry.registered_checks -= CHECKS


@contextmanager
def checked():
    registry.registered_checks |= CHECKS
    try:
        yield
    finally:
        registry.registered_checks -= CHECKS


@cache
def migrated():
    """Return a SQLite file with the tables of all apps, to copy."""
    path = Path(mkdtemp()) / "site.sqlite3"
    with project.known(project.on_sqlite(path)) as alias, project.routed(alias):
        call_command("migrate", database=alias, verbosity=0)
    return path


class Site:
    """A site with a clock that stands still, and an outbox."""

    def __init__(self, alias):
        self.alias, self.clock, self.outbox = alias, Clock(), RecordingSender()

    def settings(self, **changes):
        """Change ``SMSMFA``."""
        given = {
            "app_name": "Acme", "secret": "a secret that only these tests use, 32 bytes", "regions": ["US", "CA"],
            "sender": self.outbox, "clock": self.clock, "store": self.store,
        }  # fmt: skip
        return override_settings(SMSMFA={**given, **changes})

    store = MemoryStore()

    def user(self, name="alice", number=NUMBER, **more):
        """Create a user, and enrol a number unless it is None."""
        user = get_user_model().objects.create_user(name, password="password", **more)
        if number:
            factor.enroller().adopt(user.pk, number)
        return user

    def later(self, **time):
        self.clock.move(**time)


@contextmanager
def site(folder, **changes):
    """A running site. ``changes`` are settings of Django."""
    file = folder / "site.sqlite3"
    shutil.copy(migrated(), file)
    apps = [*settings.INSTALLED_APPS, "smsmfa.web.django"]
    templates = [{**settings.TEMPLATES[0], "DIRS": [str(folder / "templates")]}]
    (folder / "templates").mkdir()
    (folder / "templates" / "login.html").write_text('<form method="post">{% csrf_token %}</form>')
    common = {
        "INSTALLED_APPS": apps, "MIDDLEWARE": MIDDLEWARE, "ROOT_URLCONF": __name__, "TEMPLATES": templates,
        "LOGIN_REDIRECT_URL": "/",
    }  # fmt: skip
    with project.known(project.sqlite_settings(file)) as alias, project.routed(alias), checked():
        one = Site(alias)
        one.store = MemoryStore()
        with override_settings(**{**common, **changes}), one.settings():
            yield one


# --- the visitor


class Forms(HTMLParser):
    """The forms of a page: their addresses, with their fields and the texts of their buttons."""

    def __init__(self, html):
        super().__init__()
        self.found, self._button = [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.found.append((given.get("action", ""), {}, []))
        elif tag == "input":
            self.found[-1][1][given["name"]] = given.get("value", "")
        self._button = tag == "button"

    def handle_data(self, data):
        if self._button and self.found:
            self.found[-1][2].append(data)
        self._button = False


class Visitor:
    """A browser. It follows redirects, and its forms are protected as Django does it."""

    def __init__(self, site, client=None):
        self.site, self.client = site, client or Client(enforce_csrf_checks=True)
        self.response = None

    def get(self, address, **headers):
        return self._follow(self.client.get(address, headers=headers))

    def post(self, address, fields=(), **headers):
        """Post a form of the project's own, which any page's token protects."""
        if "csrftoken" not in self.client.cookies:
            self.client.get("/accounts/login/")
        token = {"csrfmiddlewaretoken": self.client.cookies["csrftoken"].value}
        return self._follow(self.client.post(address, {**token, **dict(fields)}, headers=headers))

    def log_in(self, name="alice", address="/accounts/login/", **headers):
        return self.post(address, {"username": name, "password": "password"}, **headers)

    def submit(self, button, **fields):
        """Press a button of the page."""
        action, given, _ = next(one for one in Forms(self.text).found if button in one[2])
        return self._follow(self.client.post(action or self.at, {**given, **fields}))

    def enter(self, code=None):
        """Enter a code, by default that of the last message."""
        return self.submit("Continue", code=self.site.outbox.last_code if code is None else code)

    def _follow(self, response):
        for _ in range(6):
            self.at = response.request["PATH_INFO"]
            if response.status_code not in {301, 302, 303}:
                break
            response = self.client.get(response["Location"])
        self.response = response
        return self

    @property
    def text(self):
        return self.response.content.decode()

    @property
    def status(self):
        return self.response.status_code

    @property
    def key(self):
        """The id of the session."""
        return self.client.cookies["sessionid"].value
