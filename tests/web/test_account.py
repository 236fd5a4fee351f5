"""The account page, and what can be changed there, through both twins."""

import pytest
from support import NUMBER, OTHER_NUMBER, THIRD_NUMBER, a_config
from web.visitor import Site, Visitor

from smsmfa import MemoryStore
from smsmfa.testing import FaultyStore


@pytest.fixture(params=[False, True], ids=["threads", "asyncio"])
def site(request):
    """A site where users may have three numbers, with the store at hand, and Alice who has two."""
    site = Site(a_config(max_phones=3, recovery_codes=2), twin=request.param, store=FaultyStore(MemoryStore()))
    site.codes = site.enrol("alice", NUMBER, OTHER_NUMBER)
    return site


@pytest.fixture
def alice(site):
    """Alice, who has just got in."""
    return Visitor(site).log_in().enter()


def numbers(site):
    return [one.e164 for one in site.status().phones]


def stale(site):
    """Let the last code become too old for a change."""
    site.clock.move(minutes=11)


def test_account(alice):
    """The page shows the numbers masked, which one is first, and how many recovery codes are left."""
    text = alice.get("account").page.text

    assert "••••71 Codes go here first" in text
    assert "••••72" in text
    assert "You have 2 recovery codes." in text
    assert "4155" not in alice.page.html
    assert (1, True) == (
        sum("Send codes here first" in one.buttons[0][0] for one in alice.page.forms),
        alice.has("Add"),
    )


def test_posted(alice):
    """A form that is sent to the page itself changes nothing, and shows it."""
    assert 200 == alice.post("account", {"smsmfa_token": alice.entry["token"]}).status


def test_prefer(site, alice):
    """Another number can be made the first, and a second click on the same button changes nothing."""
    form = alice.get("account").form("Send codes here first")
    alice.submit("Send codes here first", form=form)
    alice.submit("Send codes here first", form=form)

    assert ("/mfa/account", [OTHER_NUMBER, NUMBER]) == (alice.at, numbers(site))


def test_prefer_unknown(site, alice):
    """A number that is gone, or somebody else's, cannot be made the first; the page says so."""
    site.enrol("bob", THIRD_NUMBER)
    form = alice.get("account").form("Send codes here first")
    for phone in (site.status("bob").phones[0].id, "", "x", "\ud800"):
        alice.submit("Send codes here first", form=form, phone=phone)
        assert (409, [NUMBER, OTHER_NUMBER]) == (alice.status, numbers(site))

    assert "You have no such phone number." in alice.page.problem
    assert "/mfa/account" == alice.click("Try again").at


@pytest.mark.parametrize("button", ["Send codes here first", "Get new recovery codes"])
def test_stale(site, alice, button):
    """Without a fresh code nothing changes; the visitor confirms first, and comes back to the page."""
    alice.get("account")
    stale(site)
    before = site.status()
    alice.submit(button)
    assert "/mfa/step-up?next=/mfa/account" == alice.at
    assert (before.phones, before.recovery_codes_left) == (site.status().phones, site.status().recovery_codes_left)
    alice.submit("Send a code").enter()

    assert "/mfa/account" == alice.at
    assert alice.submit(button).status in {200, 303}


def test_remove(site, alice):
    """A number is removed after a question; what is left gets the codes."""
    alice.get("account").click("Remove")
    assert ("Remove ••••71?", "No more codes will be sent to this number.") == (
        alice.page.title.split(" –")[0], next(line for line in alice.page.text.splitlines() if "No more" in line)
    )  # fmt: skip
    assert ["/mfa/account"] == [href for text, href in alice.page.links if text == "Cancel"]
    alice.submit("Remove")

    assert ("/mfa/account", [OTHER_NUMBER]) == (alice.at, numbers(site))


def test_remove_twice(site, alice):
    """A second click on the same button, and a reload, lead to the account, though the proof went with the number."""
    form = alice.get("account").click("Remove").form("Remove")
    alice.submit("Remove", form=form, lose=True)
    alice.submit("Remove", form=form)

    assert ("/mfa/account", 200, [OTHER_NUMBER]) == (alice.at, alice.status, numbers(site))


def test_remove_again(site, alice):
    """After a number was removed, the next change needs a new code."""
    alice.get("account").click("Remove").submit("Remove")
    alice.click("Remove")
    assert "Confirm that it is you" in alice.page.title
    site.clock.move(minutes=1)
    alice.submit("Send a code").enter()
    alice.click("Remove")
    assert "Your recovery codes go with your last number." in alice.page.text
    alice.submit("Remove")

    assert ("/mfa/account", []) == (alice.at, numbers(site))


def test_remove_last(site, alice):
    """Without numbers the account offers to set one up, and the next login asks for one."""
    site.factor.enroller.reset("alice")
    alice.get("account")
    assert "You have not set up a phone number." in alice.page.text
    assert not alice.has("recovery codes")
    alice.click("Set up a phone number").submit("Send a code", number=NUMBER).enter()
    assert ["/mfa/account"] == [href for text, href in alice.page.links if "I have saved" in text]

    assert [NUMBER] == numbers(site)
    site.factor.enroller.reset("alice")
    assert "/mfa/enrol" == Visitor(site).log_in().at


def test_remove_stale(site, alice):
    """Without a fresh code neither the question is asked nor a number removed."""
    form = alice.get("account").click("Remove").form("Remove")
    stale(site)
    alice.submit("Remove", form=form)
    assert ("/mfa/step-up?next=/mfa/account", [NUMBER, OTHER_NUMBER]) == (alice.at, numbers(site))
    alice.get("account").click("Remove")

    assert "/mfa/step-up?next=/mfa/account" == alice.at


@pytest.mark.parametrize("query", ["", "?phone=", "?phone=x", "?phone=%00"])
def test_remove_unknown(site, alice, query):
    """The question about a number that there is not leads to the account."""
    assert "/mfa/account" == alice.get(f"account/remove{query}").at


def test_remove_of_another(site, alice):
    """Somebody else's number is not removed, and not shown."""
    site.enrol("bob", THIRD_NUMBER)
    theirs = site.status("bob").phones[0].id
    assert "/mfa/account" == alice.get(f"account/remove?phone={theirs}").at
    form = alice.click("Remove").form("Remove")
    alice.submit("Remove", form=form, phone=theirs)

    assert ("/mfa/account", [THIRD_NUMBER]) == (alice.at, [one.e164 for one in site.status("bob").phones])


def test_new_codes(site, alice):
    """New recovery codes are shown once, the old ones are dead, and the same form shows the same ones again."""
    form = alice.get("account").form("Get new")
    codes = alice.submit("Get new", form=form).page.codes
    assert (2, "Save your recovery codes") == (len(codes), alice.page.title.split(" –")[0])
    assert ["/mfa/account"] == [href for text, href in alice.page.links if "I have saved" in text]
    assert codes == alice.submit("Get new", form=form).page.codes
    site.clock.move(minutes=9)
    assert codes == alice.submit("Get new", form=form).page.codes
    assert [] == alice.get("account/recovery-codes").page.codes

    other = Visitor(site).log_in().get("recovery")
    assert other.submit("Continue", code=site.codes[0]).user_id is None
    assert "alice" == other.submit("Continue", code=codes[1]).user_id


def test_new_codes_again(site, alice):
    """Another click on a page that was drawn anew makes other codes."""
    codes = alice.get("account").submit("Get new").page.codes

    assert set(codes).isdisjoint(alice.get("account").submit("Get new").page.codes)


def test_new_codes_of_nobody(site, alice):
    """If the user was reset, there are no codes to renew, and the page says so."""
    alice.get("account")
    site.factor.enroller.reset("alice")

    assert (409, []) == (alice.submit("Get new").status, alice.page.codes)


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_store(site, alice, moment):
    """If the store fails at a change, the page says so, and the same form makes the change once."""
    form = alice.get("account").form("Get new")
    site.store.fail(moment)
    assert 503 == alice.submit("Get new", form=form).status
    codes = alice.submit("Get new", form=form).page.codes
    form = alice.get("account").click("Remove").form("Remove")
    site.store.fail(moment)
    assert 503 == alice.submit("Remove", form=form).status
    alice.submit("Remove", form=form)

    assert (2, "/mfa/account", [OTHER_NUMBER]) == (len(codes), alice.at, numbers(site))


@pytest.mark.parametrize("page", ["account", "account/prefer", "account/remove", "account/recovery-codes"])
def test_halfway(site, page):
    """Who has given only the password neither sees the account nor changes it."""
    visitor = Visitor(site).log_in()
    form = {"smsmfa_token": visitor.entry["token"], "phone": site.status().phones[1].id}
    visitor.get(page)
    assert "/mfa/code" == visitor.at
    visitor.post(page, form)

    assert ("/mfa/code", [NUMBER, OTHER_NUMBER]) == (visitor.at, numbers(site))


@pytest.mark.parametrize("page", ["account/prefer", "account/remove", "account/recovery-codes"])
def test_forged(site, alice, page):
    """A form without the token changes nothing."""
    before = site.status()
    alice.post(page, {"phone": before.phones[1].id})

    assert (403, before.phones) == (alice.status, site.status().phones)
    assert "/mfa/account" == alice.page.links[0][1]
