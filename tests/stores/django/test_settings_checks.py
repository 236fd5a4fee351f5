"""What ``manage.py check`` says of the settings."""

import pytest
from django.test import override_settings
from stores.django import project as project
from stores.django.site import Site

from smsmfa import MemoryStore
from smsmfa.codes import EXAMPLE_SECRET
from smsmfa.stores.django.settings_checks import check_deployment, check_settings, check_sqlite
from smsmfa.testing import RecordingSender

GIVEN = {
    "app_name": "Acme", "secret": "a secret that only these tests use, 32 bytes", "regions": ["US"],
    "sender": "smsmfa.ConsoleSender",
}  # fmt: skip


class Sender(RecordingSender):
    """A sender that prints nothing."""


def found(check, **changes):
    """Return the ids and the texts of what a check finds."""
    with override_settings(SMSMFA={**GIVEN, **changes}):
        return [(one.id, f"{one.msg} {one.hint}") for one in check()]


class TestSettings:
    def test_good(self):
        """Good settings, and none at all, are no error, and the carrier's credentials are not asked for."""
        assert [] == found(check_settings, sender="smsmfa.TwilioSender")
        with override_settings(SMSMFA=None):
            assert [] == check_settings()

    @pytest.mark.parametrize(
        "changes, wanted, said",
        [
            ({"secret": None}, "smsmfa.E002", 'SMSMFA["secret"] is missing; make one with'),
            ({"secret": "short"}, "smsmfa.E002", "SMSMFA: secret"),
            ({"secret": EXAMPLE_SECRET}, "smsmfa.E002", "SMSMFA: secret"),
            ({"digits": 3}, "smsmfa.E002", "SMSMFA: digits: from 6 to 10"),
            ({"sender": None}, "smsmfa.E003", 'SMSMFA["sender"] is missing'),
            ({"sender": "smsmfa.Sender"}, "smsmfa.E003", "cannot be imported"),
        ],
    )
    def test_bad(self, changes, wanted, said):
        """A missing or wrong setting is an error that names it."""
        [(code, text)] = found(check_settings, **changes)
        assert wanted == code
        assert said in text


@pytest.mark.filterwarnings("ignore:ConsoleSender is for development")
class TestDeployment:
    def test_not_set(self):
        """Without SMSMFA it says what does not happen."""
        with override_settings(SMSMFA=None):
            assert ["smsmfa.W001"] == [one.id for one in check_deployment()]

    def test_printing(self):
        """A sender that prints codes is for DEBUG only."""
        assert ["smsmfa.W002"] == [code for code, _ in found(check_deployment)]
        with override_settings(DEBUG=True):
            assert [] == found(check_deployment)

    def test_memory(self):
        """A store in memory is no store for production."""
        assert ["smsmfa.W003"] == [code for code, _ in found(check_deployment, store=MemoryStore(), sender=Sender)]

    def test_credentials(self, monkeypatch):
        """A sender that cannot be made is an error that names the variable."""
        monkeypatch.delenv("TWILIO_ACCOUNT_SID", raising=False)
        [(code, text)] = found(check_deployment, sender="smsmfa.TwilioSender")
        assert "smsmfa.E004" == code
        assert "TWILIO_ACCOUNT_SID is not set" in text


class TestSqlite:
    @pytest.mark.parametrize("atomic", [False, True])
    def test_atomic_requests(self, atomic, tmp_path):
        """Requests in transactions lock the store out of a SQLite file, and only of that."""
        database = {**project.sqlite_settings(tmp_path / "db.sqlite3"), "ATOMIC_REQUESTS": atomic}
        with project.known(database) as alias, project.routed(alias):
            assert ["smsmfa.W004"] * atomic == [one.id for one in check_sqlite()]


def test_project(tmp_path):
    """The commands of a real project find what is wrong with its settings."""
    site = Site(tmp_path, "DATABASES['default']['ATOMIC_REQUESTS'] = True\n")
    said = site.manage("check", "--deploy")
    assert "(smsmfa.W002) The sender prints codes and sends none." in said
    assert "(smsmfa.W004) default: with ATOMIC_REQUESTS" in said
    site.write("site_settings.py", (tmp_path / "site_settings.py").read_text() + "SMSMFA['secret'] = ''\n")
    assert 'smsmfa.E002) SMSMFA["secret"] is missing; make one with' in site.manage("check", fails=True)
