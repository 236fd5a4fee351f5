"""Every sender can be imported from the package, and is loaded at its first use."""

import subprocess
import sys

import pytest

from smsmfa import senders


@pytest.mark.parametrize("name", senders.__all__)
def test_names(name):
    """Each name is the class of that name."""
    assert name == getattr(senders, name).__name__
    assert name in dir(senders)


def test_other_names():
    """Any other name is an AttributeError."""
    with pytest.raises(AttributeError, match=r"'smsmfa\.senders' has no attribute 'NoSender'"):
        senders.NoSender  # noqa: B018


def test_lazy():
    """Importing the package loads no carrier's SDK."""
    code = "import sys, smsmfa.senders; print({'twilio', 'boto3', 'apprise', 'requests'} & set(sys.modules))"
    assert "set()\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
