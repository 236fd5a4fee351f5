"""Numbers of other packages, and the commands for operators, in real projects."""

import json
from datetime import timedelta
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import TestCase, override_settings
from stores.django import project as project
from stores.django.site import Site
from support import wrong

from smsmfa import CodeRejected, ConfigurationError, Limit, Limits, PhoneInUse
from smsmfa.core.opaque import Opaque
from smsmfa.stores.django import adoption, settings
from smsmfa.stores.django.adoption import Device, adopt, of_dump, of_tables
from smsmfa.testing.django import SmsMfaMixin

ONE = Limit(1, timedelta(hours=1))
GIVEN = {
    "app_name": "Acme", "secret": "a secret that only these tests use, 32 bytes", "regions": ["US"],
    "sender": "smsmfa.TwilioSender",
}  # fmt: skip


def row(user, number="+14155552671", name="default", model="phonenumber.phonedevice", confirmed=True):
    fields = {"user": user, "number": number, "name": name, "confirmed": confirmed, "key": "1"}
    return {"model": model, "pk": 1, "fields": fields}


@pytest.fixture(scope="module")
def alias(tmp_path_factory):
    """A SQLite file with the tables of all apps, to which everything is routed."""
    path = tmp_path_factory.mktemp("users") / "db.sqlite3"
    with project.known(project.on_sqlite(path)) as alias, project.routed(alias), override_settings(SMSMFA=GIVEN):
        call_command("migrate", database=alias, verbosity=0)
        yield alias


class TestDump:
    def test_devices(self, tmp_path):
        """The confirmed phones of each package are read, and nothing else."""
        path = tmp_path / "dump.json"
        rows = [
            row(1), row(["bob"], model="two_factor.phonedevice"), row(3, model="otp_twilio.twiliosmsdevice"),
            row(4, confirmed=False), {"model": "otp_static.statictoken", "pk": 1, "fields": {"token": "x"}},
        ]  # fmt: skip
        path.write_text(json.dumps(rows))
        assert [1, ["bob"], 3] == [device.user for device in of_dump(path)]
        assert "4155552671" not in repr(of_dump(path))

    @pytest.mark.parametrize("text", ["", "{}x", "7", '[{"model": "phonenumber.phonedevice"}]', '{"a": 1}'])
    def test_other_file(self, tmp_path, text):
        """Another file is refused, and not shown."""
        path = tmp_path / "dump.json"
        path.write_text(text)
        with pytest.raises(ConfigurationError, match="dumpdata"):
            of_dump(path)

    def test_tables(self, monkeypatch):
        """The tables of another package are read where they are."""
        rows = SimpleNamespace(values_list=lambda *_: [(7, "default", "+14155552671")])
        manager = SimpleNamespace(filter=lambda **_: rows)
        other, model = (
            SimpleNamespace(_meta=SimpleNamespace(label_lower=label), _base_manager=manager)
            for label in ("auth.user", "phonenumber.phonedevice")
        )
        monkeypatch.setattr(adoption.apps, "get_models", lambda: [other, model])
        [(user, name, number)] = of_tables()
        assert (7, "default", "+14155552671") == (user, name, number.reveal())

    def test_no_table(self):
        """Without the app of another package, the error says what to do."""
        with pytest.raises(ConfigurationError, match="give a file"):
            of_tables()


class TestAdopt:
    def test_outcomes(self, alias):
        """Each device has an outcome, users keep what they have, and a dry run finds the same and stores nothing."""

        class Case(SmsMfaMixin, TestCase):
            databases = {alias}

            def test_it(self):
                a, b, c, d = (get_user_model().objects.create_user(name) for name in "abcd")
                self.enrolled(b, "+14155552672")
                devices = [
                    Device(a.pk, "backup", Opaque("+14155552673")),
                    Device(a.pk, "default", Opaque("+14155552671")),
                    Device(["b"], "default", Opaque("+14155552671")),
                    Device(c.pk, "default", Opaque("+33612345678")),
                    Device(str(d.pk), "default", Opaque("911")),
                    Device(99, "default", Opaque("+14155552671")),
                    Device("nobody", "default", Opaque("+14155552671")),
                ]
                expected = [
                    ("adopted", f"{a.pk} ••••71"),
                    ("enrolled before", f"{b.pk} ••••71"),
                    ("number refused: region", f"{c.pk} ••••78"),
                    ("number refused: no_region", f"{d.pk} (not a number)"),
                    ("no such user", "99 ••••71"),
                    ("no such user", "nobody ••••71"),
                    ("more numbers than max_phones", f"{a.pk} ••••73"),
                ]
                assert expected == list(adopt(devices, dry_run=True))
                assert not settings.verifier().status(a.pk).enrolled
                assert expected == list(adopt(devices))
                assert ["••••71"] == [phone.masked for phone in settings.verifier().status(a.pk).phones]
                assert ["••••72"] == [phone.masked for phone in settings.verifier().status(b.pk).phones]
                assert "enrolled before" == next(adopt(devices))[0]
                assert [] == self.outbox.messages

        assert [] == project.outcome(Case)

    def test_limits(self, alias):
        """A number of too many users, and the same number twice, are refused as by every enrolment."""

        class Case(SmsMfaMixin, TestCase):
            databases = {alias}

            def test_it(self):
                users = [get_user_model().objects.create_user(name).pk for name in "ab"]
                with override_settings(SMSMFA={**GIVEN, "sender": self.outbox, "max_users_per_number": 1}):
                    found = list(adopt([Device(user, "default", Opaque("+14155552671")) for user in users]))
                assert ["adopted", str(PhoneInUse())] == [outcome for outcome, _ in found]
                with override_settings(SMSMFA={**GIVEN, "sender": self.outbox, "max_phones": 2}):
                    numbers = ["+14155552673", "+1 415 555 2673", "+14155552674", "+14155552675"]
                    found = list(adopt([Device(users[1], "default", Opaque(number)) for number in numbers]))
                    assert 2 == len(settings.verifier().status(users[1]).phones)
                assert ["adopted"] * 3 + ["more numbers than max_phones"] == [outcome for outcome, _ in found]

        assert [] == project.outcome(Case)


class TestCommands:
    def test_all(self, alias, tmp_path, capsys):
        """The commands name the user by name or key, and print masked numbers only."""
        path = tmp_path / "dump.json"

        class Case(SmsMfaMixin, TestCase):
            databases = {alias}

            def test_it(self):
                alice = get_user_model().objects.create_user("alice")
                path.write_text(json.dumps([row(alice.pk), row(99)]))
                call_command("smsmfa_adopt", path, "--dry-run")
                call_command("smsmfa_status", str(alice.pk))
                call_command("smsmfa_adopt", path, verbosity=2)
                call_command("smsmfa_status", "alice")
                call_command("smsmfa_reset", "alice")
                with override_settings(SMSMFA={**GIVEN, "sender": self.outbox, "enabled": False}):
                    call_command("smsmfa_status", "alice")
                self.enrolled(alice)
                with override_settings(SMSMFA={**GIVEN, "sender": self.outbox, "limits": Limits(guesses=ONE)}):
                    challenge = settings.verifier().challenge(alice.pk)
                    with pytest.raises(CodeRejected):
                        settings.verifier().verify(alice.pk, challenge.id, wrong(self.outbox.last_code))
                    call_command("smsmfa_status", "alice")
                for command in ("smsmfa_status", "smsmfa_reset"):
                    with pytest.raises(CommandError, match="no user with the username or the primary key bob"):
                        call_command(command, "bob")
                for arguments in ((), (tmp_path / "absent",)):
                    with pytest.raises(CommandError):
                        call_command("smsmfa_adopt", *arguments)

        assert [] == project.outcome(Case)
        said = capsys.readouterr().out
        assert "user 99 ••••71: no such user\n1 adopted\n1 no such user\nnothing was stored\n" in said
        assert ": adopted\nuser 99" in said
        assert "1 numbers were enrolled" in said
        assert ": no number\n0 recovery codes, 10 messages and 20 wrong codes are left\n" in said
        assert ": ••••71\n1 recovery codes, " in said
        assert ": numbers and recovery codes are forgotten\n" in said
        assert ": no number (the factor is off)\n" in said
        assert "\nlocked: no code is accepted now; smsmfa_reset lets the user enrol anew\n" in said
        assert "415555" not in said


TWO_FACTOR = """
INSTALLED_APPS += [
    "django_otp", "django_otp.plugins.otp_static", "django_otp.plugins.otp_totp", "two_factor",
    "two_factor.plugins.phonenumber",
]
LOGIN_URL = "two_factor:login"
"""
FILL = """
from django.contrib.auth.models import User
from two_factor.plugins.phonenumber.models import PhoneDevice
for name, number in (("alice", "+14155552671"), ("bob", "+14155552672")):
    user = User.objects.create_user(name)
    PhoneDevice.objects.create(user=user, name="default", number=number, method="sms")
"""


@pytest.mark.skipif(not find_spec("two_factor"), reason="django-two-factor-auth is not installed")
def test_two_factor(tmp_path):
    """Numbers move from django-two-factor-auth, from its tables or from a dump, and a second run changes nothing."""
    site = Site(tmp_path, TWO_FACTOR)
    site.manage("migrate", "-v", "0")
    site.run(FILL)
    site.manage("dumpdata", "phonenumber", "--natural-foreign", "-o", "dump.json")
    assert "2 adopted\nnothing was stored\n" in site.manage("smsmfa_adopt", "dump.json", "--dry-run")
    assert "2 adopted\n2 numbers were enrolled\n" in site.manage("smsmfa_adopt")
    assert "user 1 ••••71: enrolled before\n" in site.manage("smsmfa_adopt", "dump.json")
    assert "user 2: ••••72\n" in site.manage("smsmfa_status", "bob")
    assert "user 1: numbers and" in site.manage("smsmfa_reset", "1")
    assert "user 1: no number\n" in site.manage("smsmfa_status", "alice")
