"""The doctor finds problems with the settings, the account and the store, and says what to do."""

import json
import sys
import types
from contextlib import ExitStack

import attrs
import pytest
from senders.calls import raises

from smsmfa import AsyncMemoryStore, ConfigurationError, MemoryStore, StoreError, doctor
from smsmfa.doctor import as_json, as_table, examine, failed
from smsmfa.senders.failover import AsyncFailoverSender, FailoverSender
from smsmfa.senders.twilio import TwilioSender
from smsmfa.stores.sqlite import SqliteStore
from smsmfa.testing import AsyncRecordingSender, RecordingSender
from smsmfa.values import Finding

LEAST = {
    "SMSMFA_APP_NAME": "Acme",
    "SMSMFA_SECRET": "a secret of the tests, long enough to be one",
    "SMSMFA_REGIONS": "US,CA",
}
TWILIO = {
    "TWILIO_ACCOUNT_SID": "AC" + "0123456789abcdef" * 2,
    "TWILIO_AUTH_TOKEN": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
    "TWILIO_FROM_NUMBER": "+14155550106",
}


def found(subject, environment):
    """Return the findings about a subject."""
    return [finding for finding in examine(environment) if finding.subject == subject]


@pytest.fixture
def acme(monkeypatch):
    """Return the module of a program that uses the factor."""
    module = types.ModuleType("acme_of_the_tests")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def store_of(acme, value):
    """Return the findings about a store of the program."""
    acme.store = value
    return found("store", {"SMSMFA_STORE": "acme_of_the_tests:store"})


# The settings.


def test_settings():
    """Valid settings are shown, with each text and its cost."""
    assert [
        Finding("settings", "ok", "Acme, codes of 6 digits, CA, US"),
        Finding("text enrollment", "ok", "1 segment of GSM-7"),
        Finding("text verification", "ok", "1 segment of GSM-7"),
    ] == examine(LEAST | {"SMSMFA_LANGUAGES": "en"})[:3]


def test_languages():
    """Texts are checked in every language, and the languages with long texts are named."""
    [short] = found("text enrollment", LEAST | {"SMSMFA_LANGUAGES": "en,fr"})
    [long] = found("text enrollment", LEAST | {"SMSMFA_APP_NAME": "A" * 59, "SMSMFA_LANGUAGES": "en,el"})

    assert "1 segment in each of 2 languages" == short.detail
    assert ("warning", "2 segments of UCS-2 in el; you pay for each segment") == (long.level, long.detail)


@pytest.mark.parametrize(
    "regions, words",
    [
        ("*", "every country"),
        ("*,001", "every country, numbers of no country"),
        ("001", "numbers of no country"),
        ("US, CA, 001", "CA, US, numbers of no country"),
    ],
)
def test_regions(regions, words):
    """The countries are listed. Open geography is reported as every country."""
    assert f"Acme, codes of 6 digits, {words}" == found("settings", LEAST | {"SMSMFA_REGIONS": regions})[0].detail


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"SMSMFA_SECRET": "too short"}, "secret: one str or bytes of at least 32 bytes"),
        ({"SMSMFA_SECRET": ""}, "SMSMFA_SECRET is not set"),
        ({"SMSMFA_DIGITS": "4"}, "digits: from 6 to 10"),
    ],
)
def test_wrong_settings(changes, words):
    """Anything wrong with the settings is an error with advice that shows no secret."""
    [finding] = found("settings", LEAST | changes)

    assert ("error", True) == (finding.level, finding.detail.startswith(words))
    assert finding.advice
    assert "too short" not in repr(finding)


@pytest.fixture
def texts(monkeypatch):
    """Return a function that adds texts to the settings of the environment."""

    def give(**messages):
        monkeypatch.setattr(doctor.FactorConfig, "from_env", lambda environment: read(environment, messages=messages))

    read = doctor.FactorConfig.from_env
    return give


def test_long_text(texts):
    """A text of more than one segment is a warning that names the character that makes it long."""
    texts(enrollment="{{ code }} " + "x" * 160, verification="{{ code }}’ " + "x" * 70)
    [gsm], [ucs] = found("text enrollment", LEAST), found("text verification", LEAST)

    assert ("warning", "2 segments of GSM-7; you pay for each segment") == (gsm.level, gsm.detail)
    assert "shorten the text, app_name or origin" == gsm.advice
    assert ("warning", "2 segments of UCS-2; you pay for each segment") == (ucs.level, ucs.detail)
    assert "shorten the text, app_name or origin, or remove '’', which forces UCS-2" == ucs.advice


def test_text_with_details(texts):
    """Every text is checked, except a text that shows details."""
    texts(payment="{{ code }} pays {{ details.amount }}", login="{{ code }} logs in")

    assert {
        ("text enrollment", "ok"),
        ("text verification", "ok"),
        ("text payment", "not checked"),
        ("text login", "ok"),
    } == {(finding.subject, finding.level) for finding in examine(LEAST)[1:5]}


# The account.


def test_no_account():
    """Without the variables of an account, the account is not checked."""
    [finding] = found("twilio", {})

    assert ("not checked", True) == (finding.level, "TWILIO_ACCOUNT_SID" in finding.advice)


def test_wrong_account():
    """A malformed account is an error that does not show its token."""
    [finding] = found("twilio", TWILIO | {"TWILIO_ACCOUNT_SID": "AC1"})

    assert "error" == finding.level
    assert TWILIO["TWILIO_AUTH_TOKEN"] not in repr(finding)


def test_account(monkeypatch):
    """The findings of the sender are reported."""
    finding = Finding("account", "warning", "a trial account")
    monkeypatch.setattr(TwilioSender, "check", lambda sender, regions: (finding,) if regions == {"US", "CA"} else ())

    assert [finding] == found("account", TWILIO | LEAST)


def test_account_without_regions(monkeypatch):
    """Without settings the account is checked, but not its countries."""
    finding = Finding("account", "ok", "fine")
    monkeypatch.setattr(TwilioSender, "check", lambda sender, regions: () if regions else (finding,))

    assert [finding] == found("account", TWILIO)


# The sender.


class Checked(RecordingSender):
    """A sender that checks itself."""

    def check(self, *, regions=()):
        """Return a finding."""
        return (Finding("gateway", "ok", ",".join(sorted(regions))),)


class Simple(RecordingSender):
    """A sender whose check takes no regions."""

    def check(self):
        """Return a finding."""
        return [Finding("gateway", "warning", "slow")]


class Later(AsyncRecordingSender):
    """A sender for asyncio that checks itself."""

    async def check(self, *, regions=()):
        """Return a finding."""
        return (Finding("gateway", "ok", "later"),)


@pytest.mark.parametrize(
    "sender, expected",
    [
        (Checked(), [("ok", "CA,US")]),
        (Checked, [("ok", "CA,US")]),
        (Simple(), [("warning", "slow")]),
        (Later(), [("ok", "later")]),
        (FailoverSender([Checked(), Simple()]), [("ok", "CA,US"), ("warning", "slow")]),
        (AsyncFailoverSender({"US": Later(), "*": [Later()]}), [("ok", "later"), ("ok", "later")]),
    ],
)
def test_sender(sender, expected, acme):
    """A sender of the program checks itself, and so do the carriers of a failover sender."""
    acme.sender = sender
    findings = examine(LEAST | {"SMSMFA_SENDER": "acme_of_the_tests:sender"})

    assert expected == [(finding.level, finding.detail) for finding in findings if finding.subject == "gateway"]
    assert not [finding for finding in findings if finding.subject == "twilio"]


def test_sender_that_cannot_be_asked(acme):
    """A sender without a check is not checked."""
    acme.sender = RecordingSender()
    [finding] = found("sender", LEAST | {"SMSMFA_SENDER": "acme_of_the_tests:sender"})

    assert ("not checked", "RecordingSender has no method check(), so it cannot be asked") == (
        finding.level,
        finding.detail,
    )


@pytest.mark.parametrize(
    "place, why",
    [
        ("no_such_module_here:sender", "ModuleNotFoundError"),
        ("acme_of_the_tests:not_a_sender", "it is not a sender"),
        ("acme_of_the_tests:fails", "RuntimeError"),
    ],
)
def test_sender_that_cannot_be_loaded(place, why, acme):
    """T12: a sender that cannot be loaded or fails is an error that shows no secret."""
    acme.not_a_sender = lambda: 7
    acme.fails = RecordingSender()
    acme.fails.check = raises(RuntimeError("password=hunter2"))
    [finding] = found("sender", LEAST | {"SMSMFA_SENDER": place})

    assert ("error", f"{place} cannot be checked: {why}") == (finding.level, finding.detail)


# The store.


def test_no_store():
    """Without the variable of a store, the store is not checked."""
    [finding] = found("store", {"SMSMFA_STORE": " "})

    assert ("not checked", True) == (finding.level, "SMSMFA_STORE" in finding.advice)


@pytest.mark.parametrize("make", [False, True])
def test_store(make, acme, tmp_path):
    """A store that works is fine, given as an object or as a function that makes it, and stays empty."""
    with ExitStack() as stack:
        store = SqliteStore(tmp_path / "factor.db")
        stack.callback(store.close)

        assert [Finding("store", "ok", "SqliteStore wrote, read and deleted a record")] == store_of(
            acme, (lambda: store) if make else store
        )
        assert 0 == len(_rows(tmp_path / "factor.db"))


def _rows(path):
    import sqlite3

    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT * FROM smsmfa").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("kind", [MemoryStore, AsyncMemoryStore])
def test_memory(kind, acme):
    """A store in memory works, sync or async, and is a warning. A class is called to make the store."""
    assert [
        ("ok", f"{kind.__name__} wrote, read and deleted a record"),
        ("warning", "records in memory are lost when the"),
    ] == [(finding.level, finding.detail.removesuffix(" process ends")) for finding in store_of(acme, kind)]


class Broken(MemoryStore):
    """A store whose reads fail, or find nothing."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def read(self, key):
        if self.error is None:
            return
        raise self.error


class AsyncBroken(AsyncMemoryStore):
    """The same for asyncio."""

    async def read(self, key):
        return None


@pytest.mark.parametrize(
    "store, detail",
    [
        (Broken(StoreError("the server is gone")), "Broken does not answer: the server is gone"),
        (Broken(OSError("password=hunter2")), "Broken does not answer: OSError"),
        (Broken(None), "Broken did not keep a record"),
        (AsyncBroken(), "AsyncBroken did not keep a record"),
    ],
)
def test_broken_store(store, detail, acme):
    """T12: a store that fails or forgets is an error that shows no password."""
    finding = store_of(acme, store)[0]

    assert ("error", detail) == (finding.level, finding.detail)
    assert finding.advice


def test_silent_store(acme, monkeypatch):
    """A store that does not answer in time is an error."""
    import threading

    monkeypatch.setattr(doctor, "_PATIENCE", 0.05)
    ends = threading.Event()
    store = MemoryStore()
    store.update = lambda keys, change: ends.wait(10)
    try:
        finding = store_of(acme, store)[0]
    finally:
        ends.set()

    assert ("error", "no answer within 0.05 seconds") == (finding.level, finding.detail)


@pytest.mark.parametrize(
    "place, why",
    [
        ("no_such_module_here:store", "ModuleNotFoundError"),
        ("acme_of_the_tests:nothing", "AttributeError"),
        ("acme_of_the_tests", "AttributeError"),
        (":store", "ValueError"),
        ("acme_of_the_tests:number", "TypeError"),
        ("acme_of_the_tests:not_a_store", "it is not a store"),
        ("acme_of_the_tests:refuses", "say where"),
    ],
)
def test_store_that_cannot_be_loaded(place, why, acme):
    """A name without a store behind it is an error that says how to write the name."""
    acme.number = 7
    acme.not_a_store = dict
    acme.not_a_store = lambda: 7
    acme.refuses = _refuse
    [finding] = found("store", {"SMSMFA_STORE": place})

    assert ("error", f"{place} cannot be loaded: {why}") == (finding.level, finding.detail)
    assert "package.module:name" in finding.advice


def _refuse():
    raise ConfigurationError("say where")


# How it is shown.

FINDINGS = [
    Finding("account", "ok", "active, and no trial"),
    Finding("from_number", "error", "••••06 cannot send SMS", "buy another"),
]


def test_table():
    """The table has a line for each finding, and a line for its advice."""
    assert [
        "ok           account      active, and no trial",
        "error        from_number  ••••06 cannot send SMS",
        "                          -> buy another",
    ] == as_table(FINDINGS).splitlines()
    assert "" == as_table([])


def test_json():
    """The JSON has every finding, and the worst level."""
    told = json.loads(as_json(FINDINGS))

    assert {"worst": "error", "findings": [attrs.asdict(finding) for finding in FINDINGS]} == told


@pytest.mark.parametrize(
    "levels, worst",
    [((), "ok"), (("ok",), "ok"), (("not checked", "ok"), "not checked"), (("warning", "not checked"), "warning")],
)
def test_json_says_the_worst(levels, worst):
    """The worst level is never ok if something was not checked."""
    assert worst == json.loads(as_json(Finding("x", level, "y") for level in levels))["worst"]


@pytest.mark.parametrize(
    "level, expected", [("ok", False), ("not checked", False), ("warning", False), ("error", True)]
)
def test_failed(level, expected):
    """Only errors fail."""
    assert expected == failed([Finding("account", "ok", ""), Finding("store", level, "")])


def test_process(monkeypatch):
    """Without an argument the environment of the process is read."""
    for name in (*LEAST, *TWILIO, "SMSMFA_STORE", "TWILIO_MESSAGING_SERVICE_SID"):
        monkeypatch.delenv(name, raising=False)

    assert ["error", "not checked", "not checked"] == [finding.level for finding in examine()]
