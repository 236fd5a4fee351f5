"""The setting ``SMSMFA``, and what is made from it."""

import asyncio

import pytest
from django.test import override_settings
from stores.django import project as project

from smsmfa import (
    AsyncConsoleSender,
    AsyncEnroller,
    AsyncMemoryStore,
    AsyncTwilioSender,
    AsyncVerifier,
    ConfigurationError,
    ConsoleSender,
    Enroller,
    FactorConfig,
    MemoryStore,
    TwilioSender,
    Verifier,
)
from smsmfa.stores.django import AsyncDjangoStore, DjangoStore, settings
from smsmfa.testing import AsyncRecordingSender, RecordingSender

SECRET = "a secret that only these tests use, 32 bytes"
GIVEN = {"app_name": "Acme", "secret": SECRET, "regions": ["US"], "sender": RecordingSender()}
TWILIO = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "1" * 32, "TWILIO_FROM_NUMBER": "+14155550100"}


def given(**changes):
    return override_settings(SMSMFA={**GIVEN, **changes})


def refused(make, said):
    with pytest.raises(ConfigurationError) as raised:
        make()
    assert said in str(raised.value)


def a_sender():
    return RecordingSender()


class NoTwin:
    def send(self, message):
        pass


class TestConfig:
    def test_arguments(self):
        """Every argument of FactorConfig is a setting."""
        with given(digits=8, namespace="acme"):
            config = settings.config()
            assert ("Acme", {"US"}, 8, "acme") == (config.app_name, config.regions, config.digits, config.namespace)
            assert isinstance(config, FactorConfig)

    def test_once(self):
        """Everything is made once, and again after the setting changed."""
        with given():
            first = settings.config(), settings.store(), settings.enroller()
            assert first == (settings.config(), settings.store(), settings.enroller())
            with given(app_name="Other"), override_settings(USE_TZ=True):
                assert "Other" == settings.config().app_name
                assert first[2] is not settings.enroller()
            assert "Acme" == settings.config().app_name

    @pytest.mark.parametrize("name", ["app_name", "secret", "regions"])
    def test_missing(self, name):
        """A missing setting is named, with what to do."""
        with given(**{name: None}):
            refused(settings.config, f'SMSMFA["{name}"] is missing; ')

    def test_no_setting(self):
        """Without SMSMFA, the error shows what to add."""
        with override_settings(SMSMFA=None):
            refused(settings.config, 'SMSMFA is not set; add SMSMFA = {"app_name": ')
        with override_settings(SMSMFA=["app_name"]):
            refused(settings.config, "SMSMFA: a dictionary")

    @pytest.mark.parametrize(
        "name, said", [("regoins", 'did you mean "regions"?'), ("x", "the names are android_hash, app_name")]
    )
    def test_unknown(self, name, said):
        """A name that nobody knows is refused, with the one that was meant."""
        with given(**{name: 1}):
            refused(settings.config, f'SMSMFA["{name}"]: there is no such setting; {said}')

    def test_wrong(self):
        """An error of FactorConfig names SMSMFA, and shows no secret in any frame."""
        with given(digits=5), pytest.raises(ConfigurationError, match="SMSMFA: digits: from 6 to 10") as raised:
            settings.config()
        frames, traceback = [], raised.tb
        while traceback:
            frames.append(traceback.tb_frame)
            traceback = traceback.tb_next
        assert SECRET not in str([frame.f_locals for frame in frames if "smsmfa" in frame.f_code.co_filename])

    def test_declared(self, monkeypatch):
        """Another app may allow names of its own."""
        monkeypatch.setattr(settings, "_names", {*settings._names})
        settings.declare("home")
        with given(home="/start"):
            assert ("/start", None, 7) == tuple(
                settings.setting(*arguments) for arguments in (("home",), ("store",), ("digits", 7))
            )


class TestStore:
    def test_default(self):
        """The default is the store in the project's database."""
        with given():
            assert DjangoStore is type(settings.store())
            assert AsyncDjangoStore is type(settings.async_store())

    def test_path(self):
        """A dotted path names a class, and the store for asyncio is the class beside it."""
        with given(store="smsmfa.stores.django.DjangoStore"):
            assert (DjangoStore, AsyncDjangoStore) == (type(settings.store()), type(settings.async_store()))

    def test_memory(self):
        """With a MemoryStore, threads and tasks share the records, however it is given."""
        for store in ("smsmfa.MemoryStore", MemoryStore, MemoryStore()):
            with given(store=store):
                shared = settings.async_store()
                assert isinstance(shared, AsyncMemoryStore)
                assert shared._store is settings.store()

    def test_other(self):
        """A store for asyncio can be given, and must be if it cannot be found."""
        own = AsyncMemoryStore()
        with given(store=MemoryStore(), async_store=own):
            assert own is settings.async_store()
        with given(store=lambda: DjangoStore(using="other")):
            assert "<DjangoStore using other>" == repr(settings.store())
            refused(settings.async_store, 'SMSMFA["async_store"] is missing; asynchronous views need')

    def test_error(self):
        """An error of a store names the setting."""
        with given(store=lambda: DjangoStore(using=1)):
            refused(settings.store, 'SMSMFA["store"]: using: ')
            refused(settings.enroller, 'SMSMFA["store"]: using: ')


class TestSender:
    @pytest.mark.parametrize("sender", ["smsmfa.TwilioSender", TwilioSender, lambda: TwilioSender.from_env()])
    def test_from_env(self, sender, monkeypatch):
        """A class that reads the environment is made by from_env(), and its error names setting and variable."""
        with given(sender=sender):
            monkeypatch.delenv("TWILIO_ACCOUNT_SID", raising=False)
            refused(settings.sender, 'SMSMFA["sender"]: TWILIO_ACCOUNT_SID is not set')
            for name, value in TWILIO.items():
                monkeypatch.setenv(name, value)
            assert isinstance(settings.sender(), TwilioSender)

    def test_twin(self, monkeypatch):
        """The sender for asyncio is the class beside the other one."""
        for name, value in TWILIO.items():
            monkeypatch.setenv(name, value)
        with given(sender="smsmfa.TwilioSender"):
            assert isinstance(settings.async_sender(), AsyncTwilioSender)

    @pytest.mark.filterwarnings("ignore:ConsoleSender is for development")
    def test_console(self):
        """A class without from_env() is called."""
        with given(sender="smsmfa.ConsoleSender"):
            assert isinstance(settings.sender(), ConsoleSender)
            assert isinstance(settings.async_sender(), AsyncConsoleSender)

    def test_object(self):
        """An object is taken as it is, a function is called, and a path may name either."""
        own = AsyncRecordingSender()
        with given(async_sender=own):
            assert GIVEN["sender"] is settings.sender()
            assert own is settings.async_sender()
        with given(sender=f"{__name__}.a_sender"):
            assert isinstance(settings.sender(), RecordingSender)

    @pytest.mark.parametrize("sender", [NoTwin, NoTwin()])
    def test_no_twin(self, sender):
        """If there is no class for asyncio beside it, one must be given."""
        with given(sender=sender):
            refused(settings.async_sender, 'SMSMFA["async_sender"] is missing; asynchronous views need')

    def test_missing(self):
        """Without a sender, the error says which there are."""
        with given(sender=None):
            refused(settings.sender, 'SMSMFA["sender"] is missing; what sends the messages, for example "smsmfa.Tw')
            refused(settings.verifier, 'SMSMFA["sender"] is missing')
        with given(sender=None):
            refused(settings.async_sender, 'SMSMFA["async_sender"] is missing')

    @pytest.mark.parametrize("path", ["smsmfa.Twilio", "nowhere.Sender", "Sender"])
    def test_path(self, path):
        """A path that leads nowhere is named."""
        with given(sender=path):
            refused(settings.sender, f'SMSMFA["sender"]: "{path}" cannot be imported: ')

    @pytest.mark.parametrize("sender", [7, GIVEN, object()])
    def test_wrong(self, sender):
        """Anything else is refused."""
        with given(sender=sender):
            refused(settings.sender, 'SMSMFA["sender"]: an object with send(), a function that makes one')


class TestShells:
    def test_both(self):
        """The enroller and the verifier share the store and the sender, and tell the listener what happens."""
        events = []
        with given(store=MemoryStore(), on_event=events.append):
            enroller, verifier = settings.enroller(), settings.verifier()
            assert (Enroller, Verifier) == (type(enroller), type(verifier))
            pending = enroller.start(7, "+14155552671")
            enroller.confirm(7, pending.id, GIVEN["sender"].last_code)
            assert verifier.status(7).enrolled
        assert {"7"} == {event.user_id for event in events}

    def test_both_for_asyncio(self):
        """The twins for asyncio work on the same records."""
        with given(store=MemoryStore(), async_sender=AsyncRecordingSender()):
            settings.enroller().adopt(7, "+14155552671")
            assert (AsyncEnroller, AsyncVerifier) == (type(settings.async_enroller()), type(settings.async_verifier()))
            assert asyncio.run(settings.async_verifier().status(7)).enrolled

    def test_clock(self):
        """The clock is a setting, as a path too. A wrong one is an error that names SMSMFA."""
        with given(store=MemoryStore(), clock="time.time_ns"):
            assert not settings.verifier().status(7).enrolled
        with given(store=MemoryStore(), clock=7):
            refused(settings.verifier, "SMSMFA: clock: ")
