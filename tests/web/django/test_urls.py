"""The addresses of the pages."""

from django.urls import resolve, reverse

from smsmfa.web.django.urls import app_name


def test_names(site):
    """The pages have a namespace, and the account page a name."""
    assert "smsmfa" == app_name
    assert ["/mfa/account", "/mfa/enrol/code"] == [
        reverse("smsmfa:account"), reverse("smsmfa:page", args=["enrol/code"])
    ]  # fmt: skip


def test_same_view(site):
    """Each address leads to the same view, with the page as argument."""
    assert [{"page": "account"}, {"page": "code/resend"}] == [
        resolve(address).kwargs for address in ("/mfa/account", "/mfa/code/resend")
    ]
