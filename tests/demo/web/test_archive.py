"""What the demo remembers beside the factor."""

from datetime import UTC, datetime, timedelta

import pytest
from support import NUMBER

from smsmfa import Event, PhoneNumber
from smsmfa.demo.web.archive import Archive
from smsmfa.typing import Message


@pytest.fixture
def archive(tmp_path):
    """An archive in a new file."""
    return Archive(tmp_path / "site.sqlite3")


def a_message(text):
    until = datetime.now(UTC) + timedelta(minutes=5)
    to = PhoneNumber.parse(NUMBER)
    return Message(to=to, text=text, code="123456", kind="notice", challenge_id="x", expires_at=until)


def an_event(at=datetime(2026, 12, 1, tzinfo=UTC), **more):
    return Event(**{"name": "gd_send_sms", "outcome": "ok", "at": at, "user_id": "1", **more})


def test_sign_up(archive):
    """An account is found by name and password, and by its id."""
    account = archive.sign_up("alice", "correct horse")

    assert account == archive.check_password("alice", "correct horse")
    assert "alice" == archive.name_of(account)


def test_taken(archive):
    """A name that is taken makes no second account."""
    archive.sign_up("alice", "correct horse")

    assert None is archive.sign_up("alice", "another one")
    assert None is archive.check_password("alice", "another one")


@pytest.mark.parametrize(
    "name, password", [("alice", "wrong"), ("alice", ""), ("bob", "correct horse"), ("", "nobody")]
)
def test_wrong(archive, name, password):
    """A wrong name or password finds nobody, not even the hash for names without an account."""
    archive.sign_up("alice", "correct horse")

    assert None is archive.check_password(name, password)


def test_passwords_are_hashed(archive, tmp_path):
    """The file holds no password."""
    archive.sign_up("alice", "correct horse")

    assert b"correct horse" not in (tmp_path / "site.sqlite3").read_bytes()


@pytest.mark.parametrize("account", [None, 7, "x"])
def test_nobody(archive, account):
    """An id without an account has no name."""
    assert "" == archive.name_of(account)


def test_settings(archive):
    """Saved settings stay until they are saved again, and leave others alone."""
    archive.save({"a": "1", "b": "2"})
    archive.save({"a": "3"})

    assert {"a": "3", "b": "2"} == archive.settings()


def test_phone(archive):
    """The phone shows the last six messages, the newest last, with masked numbers."""
    receipts = [archive.send(a_message(str(number))) for number in range(8)]

    assert ["2", "3", "4", "5", "6", "7"] == [message.text for message in archive.messages()]
    assert {"••••71"} == {message.phone for message in archive.messages()}
    assert {"demo"} == {receipt.sender for receipt in receipts}


def test_events(archive):
    """Events come back the newest first, from an instant on, and no more than wanted."""
    start = datetime(2026, 12, 1, tzinfo=UTC)
    for hours in range(3):
        archive.note(an_event(start + timedelta(hours=hours), scope=str(hours)))

    assert ["2", "1", "0"] == [logged.event["scope"] for logged in archive.events()]
    assert ["2", "1"] == [logged.event["scope"] for logged in archive.events(start.timestamp() + 3600)]
    assert ["2"] == [logged.event["scope"] for logged in archive.events(most=1)]


def test_again(archive, tmp_path):
    """Another archive over the same file knows everything."""
    archive.sign_up("alice", "correct horse")
    archive.note(an_event())
    again = Archive(tmp_path / "site.sqlite3")

    assert again.check_password("alice", "correct horse")
    assert 1 == len(again.events())
