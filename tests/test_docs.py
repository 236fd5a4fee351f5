"""The lists, tables and drawings of the documentation agree with the package."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import attrs
import pytest

import smsmfa
import smsmfa.typing
from smsmfa import FactorConfig, Limits, environment, profiles, testing
from smsmfa.core import audit
from smsmfa.doctor import as_table
from smsmfa.senders.twilio.api import Answer
from smsmfa.senders.twilio.check import _account, _unread
from smsmfa.testing import fixtures
from smsmfa.texts.languages import texts
from smsmfa.values import Finding

DOCS = Path(__file__).parents[1] / "docs"


def rows(document: str, *, below: str) -> list[list[str]]:
    """Return the cells of the first table after a line that begins with ``below``."""
    _, found, rest = (DOCS / document).read_text(encoding="utf-8").partition(f"\n{below}")
    assert found
    lines = rest[rest.index("\n|") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def script_of_docs(name: str) -> ModuleType:
    """Return a script of the documentation as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def subclasses(kind: type) -> set[type]:
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


def test_errors_of_the_long_way():
    """The page "Without a framework" lists every error that reaches an application, with its code and status."""
    listed = {
        (name, code, int(status))
        for name, code, status, *_ in rows("explanation/without-a-framework.md", below="Call every page")
    }
    inner = {smsmfa.SmsMfaError, smsmfa.DeliveryError, smsmfa.DeliveryUncertain}
    errors = {kind for kind in subclasses(smsmfa.SmsMfaError) - inner if kind.__module__ == "smsmfa.exceptions"}

    assert {(f"`{kind.__name__}`", f"`{kind.code}`", kind.http_status) for kind in errors} == listed


@pytest.mark.parametrize(
    "kind, heading",
    [(FactorConfig, "## Arguments"), (Limits, "## Limits")],
)
def test_arguments_of_the_configuration(kind, heading):
    """The configuration page lists every argument."""
    listed = [name.strip("`") for name, *_ in rows("reference/configuration.md", below=heading)]

    assert [field.name for field in attrs.fields(kind) if field.init] == listed


def test_profiles_of_the_configuration():
    """The configuration page lists every profile."""
    listed = [name.strip("`") for name, *_ in rows("reference/configuration.md", below="## Profiles")]

    assert sorted(profiles.__all__) == sorted(listed[1:])


@pytest.mark.parametrize(
    "document, heading, variables, more",
    [
        ("reference/configuration.md", "## From the environment", environment.FACTOR, set(environment.SECRETS)),
        ("how-to/twilio.md", "sender = TwilioSender.from_env()", environment.TWILIO, set()),
        ("how-to/vonage.md", "sender = VonageSender.from_env()", environment.VONAGE, set()),
    ],
)
def test_variables(document, heading, variables, more):
    """The pages list every environment variable with its argument."""
    listed = {(name.strip("`"), argument.strip("`")) for name, argument, _ in rows(document, below=heading)}

    assert {(name, argument) for argument, (name, _) in variables.items()} | {
        (name, "secret") for name in more
    } == listed


def test_findings_of_the_doctor():
    """The Twilio page shows the doctor's real output."""
    page = (DOCS / "how-to/twilio.md").read_text(encoding="utf-8")
    shown = page.partition("$ python -m smsmfa doctor\n")[2].partition("```")[0]
    texts = [
        Finding(f"text {name}", "ok", "1 segment in each of 70 languages") for name in ("enrollment", "verification")
    ]
    account = [_account(Answer(403, {"code": 20008})), _unread("from_number")]
    settings = Finding("settings", "ok", "Acme, codes of 6 digits, CA, US")
    store = Finding("store", "ok", "RedisStore wrote, read and deleted a record")

    assert as_table([settings, *texts, *account, store]) == shown.rstrip()


def test_names_of_events():
    """The events page lists exactly the names of events."""
    page = (DOCS / "how-to/events.md").read_text(encoding="utf-8")
    source = Path(audit.__file__).read_text(encoding="utf-8")

    assert set(re.findall(r'"(gd_\w+)"', source)) == set(re.findall(r"`(gd_\w+)`", page))


def test_tests_of_the_login(tmp_path):
    """The tests on the testing page pass, each file put together from its blocks."""
    page = (DOCS / "how-to/test-your-login.md").read_text(encoding="utf-8")
    for name, block in re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write(block)

    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=60, check=False)

    passed = re.search(r"^(\d+) passed in ", done.stdout, re.MULTILINE)
    assert passed, done.stdout
    assert len(re.findall(r"^ *def test_", page, re.MULTILINE)) <= int(passed[1])


def test_names_of_the_api():
    """The API page documents every public name."""
    page = (DOCS / "reference/api.md").read_text(encoding="utf-8")
    documented = set(
        re.findall(r"^\.\. (?:auto)?(?:class|data|exception|function|module):: ([\w.]+)", page, re.MULTILINE)
    )

    assert set(smsmfa.__all__) - {"profiles"} <= documented
    assert set(smsmfa.typing.__all__) <= documented
    assert set(profiles.__all__) <= documented
    assert set(testing.__all__) <= documented
    assert set(fixtures.__all__) <= documented


def test_signatures():
    """The API page shows the signatures of the source. If this fails, run ``python docs/signatures.py``."""
    script = script_of_docs("signatures")
    page = script.PAGE.read_text(encoding="utf-8")

    assert script.written(page) == page


def test_catalogue():
    """The texts for translators are those of the pages. If this fails, run ``python docs/catalogue.py``."""
    script = script_of_docs("catalogue")

    assert script.written() == script.CATALOGUE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["demo", "layers", "pages", "sequence", "states"])
def test_drawings(name, monkeypatch):
    """Each drawing is up to date. If this fails, run ``python docs/draw.py``."""
    monkeypatch.setenv("COLUMNS", "80")
    script = script_of_docs("draw")
    drawn = (DOCS / "_static" / f"{name}.svg").read_text(encoding="utf-8")

    assert sorted(path.stem for path in (DOCS / "_static").glob("*.svg")) == sorted(script.DRAWINGS)
    assert script.DRAWINGS[name]() == drawn


@pytest.mark.parametrize(
    "layers, message",
    [
        ([("All", ["config"])], "differ"),
        ("reversed", "go up"),
    ],
)
def test_layers_refuse(layers, message, monkeypatch):
    """Drawing the layers fails if a module is missing, or imports from a higher layer."""
    script = script_of_docs("draw")
    monkeypatch.setattr(script, "LAYERS", script.LAYERS[::-1] if layers == "reversed" else layers)

    with pytest.raises(ValueError, match=message):
        script.layers()


def test_names_of_fixtures():
    """The testing page lists exactly the fixtures."""
    listed = {
        name
        for names, _ in rows("how-to/test-your-login.md", below="One line")
        for name in re.findall(r"`(\w+)`", names)
    }

    assert set(fixtures.__all__) == listed


def test_number_of_languages():
    """Every page gives the right number of languages."""
    pages = [*DOCS.rglob("*.md"), DOCS.parent / "README.md", DOCS.parent / "CHANGELOG.md"]
    told = {page.name: re.findall(r"(\d+) languages", page.read_text(encoding="utf-8")) for page in pages}

    assert {str(len(texts()))} == {number for numbers in told.values() for number in numbers} - {"20", "30"}
    assert told["texts.md"]
