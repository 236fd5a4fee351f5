"""The texts, and what a configuration or a call must not put into them."""

import re
import traceback
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from wicg import autofill

from smsmfa.exceptions import ConfigurationError
from smsmfa.texts.languages import texts as built_in
from smsmfa.texts.liquid import Liquid
from smsmfa.texts.messages import Messages, _built_in
from smsmfa.typing import CHANNELS

CODE = "012345"
INVISIBLE = st.one_of([st.characters(categories=[name]) for name in ("Cc", "Cf", "Zl", "Zp", "Cs")])
VISIBLE = st.characters(exclude_categories=["Cc", "Cf", "Zl", "Zp", "Cs"])
LINKS = ["https://evil.com", "see www.evil.com", "WwW.evil.com", "sms://1"]
LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
HOST = st.just("localhost") | st.lists(LABEL, min_size=2, max_size=4).map(".".join)
PAYEE = (("payee", "Ann"),)
CODES = st.integers(6, 10).flatmap(lambda digits: st.from_regex(f"[0-9]{{{digits}}}", fullmatch=True))


def messages(templates=None, **arguments):
    """Return the texts of a minimal configuration."""
    plain = {"app_name": "Acme", "digits": 6, "lifetime": timedelta(minutes=5), "origin": None}
    return Messages(templates, **plain | arguments)


def rendered(template, details=(), *, locale=None, channel="sms", **options):
    """Return the text of a template for logins."""
    texts = messages({"login": template}, **options)
    texts.check("login", details, locale, channel=channel)
    return texts.render("verification", "login", CODE, details, locale, channel=channel)


@pytest.mark.parametrize(
    "kind, expected",
    [
        (
            "enrollment",
            "012345 is your verification code for Acme. Please enter this code to verify your enrollment.",
        ),
        ("verification", "012345 is your verification code for Acme"),
    ],
)
def test_default_texts(kind, expected):
    """The default texts are the texts of the described system."""
    assert expected == messages().render(kind, "login", CODE, (), None)


def test_template_is_chosen_by_purpose():
    """A purpose has its own text or the general text, and an enrolment always has the enrolment text."""
    texts = messages({"payment": "Pay: {{ code }}", "verification": "Any: {{ code }}", "enrollment": "New: {{ code }}"})

    assert "Pay: 012345" == texts.render("verification", "payment", CODE, (), None)
    assert "Any: 012345" == texts.render("verification", "login", CODE, (), None)
    assert "New: 012345" == texts.render("enrollment", "payment", CODE, (), None)


def test_every_name_is_replaced():
    """Every name of the template language is replaced, with or without spaces in the braces."""
    template = "{{code}} {{  app_name }} {{minutes }} {{ locale}} {{ details.to_2 }} {{ code }}."

    assert "012345 Acme 5 fr Bob 012345." == rendered(template, (("to_2", "Bob"),), locale="fr")


@pytest.mark.parametrize("seconds, expected", [(1, "1"), (60, "1"), (61, "2"), (300, "5"), (600, "10")])
def test_minutes_are_rounded_up(seconds, expected):
    """The minutes are rounded up from the lifetime of the code."""
    text = rendered("{{ code }}, {{ minutes }} min", lifetime=timedelta(seconds=seconds))

    assert f"012345, {expected} min" == text


def test_no_locale_shows_as_nothing():
    """Without a locale its place in the text stays empty."""
    assert "012345 []" == rendered("{{ code }} [{{ locale }}]")


@given(
    st.lists(st.sampled_from(["{{ code }}", "{{code}}", "{{", "}}", " ", "{%", "x", "\\1", "%s"]), max_size=12)
    .map("".join)
    .filter(str.strip)
)
def test_values_are_not_templates(value):
    """T16: a value is shown unchanged, even if it looks like a template."""
    assert f"012345 to {value}!" == rendered("{{ code }} to {{ details.payee }}!", (("payee", value),))


@pytest.mark.parametrize(
    "template, hint",
    [
        ("{{ code.__class__ }}", "unknown name 'code.__class__'"),
        ("{{ code }} {{ details }}", "unknown name 'details'"),
        ("{{ code }} {{ details.a.b }}", "unknown name 'details.a.b'"),
        ("{{ code }} {{ details.__class__ }}", "unknown name 'details.__class__'"),
        ("{{ code }} {{ details.A }}", "unknown name 'details.A'"),
        ("{{ code }} {{ tenant.friendly_name }}", "unknown name"),
        ("{{ code }} {{ code | upper }}", "unknown name"),
        ("{{ code }} {{}}", "unknown name ''"),
        ("{{\xa0code }}", "unknown name"),
        ("{{{ code }}}", "unknown name '{ code'"),
        ("{{ code {{ app_name }}", "unknown name"),
        ("{{ code", "a brace too many"),
        ("{{ code }} }}", "a brace too many"),
        ("{{ code }} {{", "a brace too many"),
        ("{{\ncode }}", "a brace too many"),
        ("{{ code }} {% if locale %}", "a brace too many, or a tag"),
        ("{{ code }} %}", "a brace too many, or a tag"),
        ("", "does not show the code"),
        ("Hello from {{ app_name }}", "does not show the code"),
        ("{code} {code.__class__}", "does not show the code"),
    ],
)
def test_malformed_template_is_refused(template, hint):
    """T16: a malformed template raises, and the error names the template and the problem."""
    with pytest.raises(ConfigurationError, match=re.escape("messages['login']: ") + ".*" + re.escape(hint)):
        messages({"login": template})


@pytest.mark.parametrize(
    "templates",
    ["{{ code }}", ["{{ code }}"], {1: "{{ code }}"}, {"login": None}, {"login": b"{{ code }}"}, {"login": str.upper}],
)
def test_wrong_types_are_refused(templates):
    """Anything but a mapping of templates raises."""
    with pytest.raises(ConfigurationError, match=r"^messages"):
        messages(templates)


def test_enrollment_has_no_details():
    """An enrolment text may show the locale, but not details, because an enrolment has none."""
    texts = messages({"enrollment": "{{ code }} {{ locale }}"})
    texts.check("enrollment", (), "en")

    assert "012345 en" == texts.render("enrollment", "login", CODE, (), "en")
    with pytest.raises(ConfigurationError, match="an enrolment has no details"):
        messages({"enrollment": "{{ code }} {{ details.payee }}"})


@given(INVISIBLE, st.sampled_from(["{}a", "a{}b", "a{}"]))
def test_invisible_characters_are_refused(character, around):
    """T16: templates, names, details and locales with line breaks, control or format characters are refused."""
    text = around.format(character)
    texts = messages({"login": "{{ code }} {{ locale }} {{ details.payee }}"})

    with pytest.raises(ConfigurationError, match=r"messages\['login'\]: no line break"):
        messages({"login": text + "{{ code }}"})
    with pytest.raises(ConfigurationError, match="app_name: no line break"):
        messages(app_name=text)
    with pytest.raises(ValueError, match=r"details\['payee'\]: no line break"):
        texts.check("login", (("payee", text),), None)
    with pytest.raises(ValueError, match="locale: no line break"):
        texts.check("login", (("payee", "Bob"),), text)


@given(VISIBLE)
def test_visible_characters_are_accepted(character):
    """Every visible character is accepted, including no-break spaces and emoji."""
    assert f"012345 {character}" == rendered("{{ code }} {{ details.payee }}", (("payee", character),))


@pytest.mark.parametrize("link", LINKS)
def test_links_are_refused(link):
    """Templates, names, details and locales with links are refused."""
    texts = messages({"login": "{{ code }} {{ locale }} {{ details.payee }}"})

    with pytest.raises(ConfigurationError, match=r"messages\['login'\]: no link"):
        messages({"login": link + " {{ code }}"})
    with pytest.raises(ConfigurationError, match="app_name: no link"):
        messages(app_name=link)
    with pytest.raises(ValueError, match=r"details\['payee'\]: no link"):
        texts.check("login", (("payee", link),), None)
    with pytest.raises(ValueError, match="locale: no link"):
        texts.check("login", (("payee", "Bob"),), link)


def test_link_in_parts_is_refused():
    """A link is refused even if two values, or a template and the application name, form it together."""
    texts = messages({"login": "{{ code }} {{ details.a }}{{ details.b }}"})

    with pytest.raises(ValueError, match="locale: no link"):
        texts.check("login", (("a", "https:"), ("b", "//evil.com")), None)
    with pytest.raises(ConfigurationError, match=r"messages\['login'\]: no link"):
        messages({"login": "{{ code }} ww{{ app_name }}"}, app_name="w.evil.com")


@pytest.mark.parametrize(
    "template",
    [
        "{{ code }} or 123456",
        "000000 {{ code }}",
        "{{ code }} or 1234567",
        "{{ code }} ١٢٣٤٥٦",
        "1{{ code }}",
        "{{ code }}1",
        "{{ code }}{{ code }}",
        "{{ code }}{{ minutes }}",
        "{{ code }}{{ app_name }}",
        "{{ details.amount }}{{ code }}",
        "{{ code }}{{ locale }}",
    ],
)
def test_digits_like_a_code_are_refused(template):
    """Digits that touch the code, or are as many as the code, are refused, because they confuse autofill."""
    with pytest.raises(ConfigurationError, match=r"messages\['login'\]: (digits|letters) touch the code"):
        messages({"login": template}, app_name="3Com")


def test_fewer_digits_are_accepted():
    """Runs of digits that are shorter than the code are accepted."""
    assert "012345 12345 4711" == rendered("{{ code }} 12345 4711")
    messages({"login": "{{ code }} 1234567"}, digits=8, app_name="1234567 Inc.")


@pytest.mark.parametrize(
    "app_name",
    [
        "",
        "  ",
        "\xa0",
        "x" * 61,
        None,
        7,
        b"Acme",
        "Acme\n@evil.com #1",
        "Acme 123456",
        "٠١٢٣٤٥",
        "{{ code }}",
        "a}}",
        "{%",
    ],
)
def test_app_name_is_refused(app_name):
    """T16: an application name that is empty, long or not a name raises."""
    with pytest.raises(ConfigurationError, match="app_name: "):
        messages(app_name=app_name)


@pytest.mark.parametrize("app_name", ["x" * 60, "Ærø & Søn", "Яндекс", "12345", "{x}"])
def test_app_name_is_accepted(app_name):
    """An application name in any script, up to 60 characters, appears unchanged in the texts."""
    text = messages({"enrollment": "{{ code }}"}, app_name=app_name).render("verification", "login", CODE, (), None)

    assert f"012345 is your verification code for {app_name}" == text


@pytest.mark.parametrize(
    "filler, room, origin",
    [("a", 306 - 6, None), ("я", 134 - 6, None), ("a", 306 - 6 - 21, "example.com"), ("я", 134 - 27, "example.com")],
)
def test_two_segments_are_the_limit(filler, room, origin):
    """A text of exactly two segments, including the autofill line, is accepted, and one unit more raises."""
    text = rendered(filler * (room - 1) + " {{ code }}", origin=origin)

    assert filler * (room - 1) + f" {CODE}" == text.partition("\n")[0]
    with pytest.raises(ConfigurationError, match=r"messages\['login'\]: it takes 3 segments .*; shorten it"):
        messages({"login": filler * room + " {{ code }}"}, origin=origin)


def test_locale_counts_as_two_letters():
    """A template that shows the locale must leave room for two letters."""
    messages({"login": "{{ code }} {{ locale }}" + "a" * (306 - 9)})

    with pytest.raises(ConfigurationError, match="it takes 3 segments"):
        messages({"login": "{{ code }} {{ locale }}" + "a" * (306 - 8)})


def test_what_forces_ucs2_is_named():
    """If one character makes a text too long, the error names it."""
    with pytest.raises(ConfigurationError, match=r"3 segments of UCS-2, .* \('’', U\+2019, forces UCS-2\); shorten it"):
        messages({"login": "Don’t share {{ code }}. " + "a" * 134})
    with pytest.raises(ConfigurationError, match=r"3 segments of GSM-7, and 2 are allowed; shorten it"):
        messages({"login": "Don't share {{ code }}. " + "a" * 306})


@pytest.mark.parametrize(
    "origin, host",
    [
        ("example.com", "example.com"),
        ("Login.Example.COM", "login.example.com"),
        ("localhost", "localhost"),
        ("LocalHost", "localhost"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a." * 69 + "com", "a." * 69 + "com"),
        ("a" * 63 + ".com", "a" * 63 + ".com"),
    ],
)
def test_origin_is_normalised(origin, host):
    """A host is accepted in any case, and written in lower case."""
    texts = messages({"enrollment": "{{ code }}"}, origin=origin)
    text = texts.render("enrollment", "login", CODE, (), None)

    assert f"012345\n@{host} #012345" == text


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "com",
        "example",
        "https://example.com",
        "example.com:443",
        "example.com/",
        "example.com/login",
        "alice@example.com",
        "@example.com",
        "example.com ",
        " example.com",
        "example.com #1",
        "example.com\n",
        "exam\tple.com",
        "example.com.",
        ".example.com",
        "example..com",
        "-a.example.com",
        "a-.example.com",
        "my_host.example.com",
        "*.example.com",
        "[::1]",
        "bücher.example",
        "еxample.com",
        "example。com",
        "ｅxample.com",
        "\u212a.example.com",
        "localho\u017ft",
        "a" * 64 + ".com",
        "a." * 125 + "comm",
        b"example.com",
        443,
    ],
)
def test_origin_is_refused(origin):
    """T25: anything but an ASCII host raises, including look-alikes and letters whose lower case is ASCII."""
    with pytest.raises(ConfigurationError, match="origin: the ASCII host"):
        messages(origin=origin)


@given(HOST, CODES, st.sampled_from(["enrollment", "verification"]), st.sampled_from(["login", "payment"]))
def test_last_line_is_for_autofill(host, code, kind, purpose):
    """T16: with an origin every text ends with the line of the WICG grammar that binds the code to it."""
    texts = messages({"payment": "{{ code }} pays {{ details.payee }}"}, digits=len(code), origin=host)
    details = (("payee", "@evil.com #1"),) if (kind, purpose) == ("verification", "payment") else ()
    text = texts.render(kind, purpose, code, details, None)

    assert (host, code, None) == autofill(text)
    assert f"@{host} #{code}" == text.split("\n")[-1]
    assert 1 == text.count("\n")


@given(
    st.text("@# a\xa0:", max_size=8) | st.sampled_from(["@a # ", "@a #", "@a  #:"]),
    st.sampled_from([": ", " #", "#", ""]),
)
def test_without_origin_nothing_is_for_autofill(value, between):
    """T16: without an origin no text is bound to a site, even if it begins with a hostile value."""
    texts = messages({"login": "{{ details.payee }}" + between + "x {{ code }}"})
    try:
        texts.check("login", (("payee", value),), None)
        text = texts.render("verification", "login", CODE, (("payee", value),), None)
    except ValueError:
        assert not value.strip() or autofill(value + between + f"x {CODE}") is not None
    else:
        assert autofill(text) is None


@pytest.mark.parametrize("template", ["@evil.com #{{ code }}", "@{{ app_name }} #1 is not {{ code }}"])
def test_autofill_line_of_a_template_is_refused(template):
    """T16: a template cannot bind the code to a site."""
    with pytest.raises(ConfigurationError, match=r"messages\['login'\]: it begins like an autofill line"):
        messages({"login": template})


def test_autofill_line_of_a_detail_is_refused():
    """T16: a value that looks like an autofill line is refused at the beginning of the text only."""
    details = (("payee", "@evil.com #1"),)

    assert "012345 to @evil.com #1" == rendered("{{ code }} to {{ details.payee }}", details)
    with pytest.raises(ValueError, match="it begins like an autofill line"):
        messages({"login": "{{ details.payee }}: {{ code }}"}).check("login", details, None)


@given(st.text(VISIBLE, min_size=1, max_size=60), CODES, st.sampled_from(["enrollment", "verification"]))
def test_default_texts_have_one_run_of_digits(app_name, code, kind):
    """With any application name only the code looks like a code in the default texts."""
    try:
        texts = messages(app_name=app_name, digits=len(code))
    except ConfigurationError:
        assume(False)
    runs = re.findall(r"\d+", texts.render(kind, "login", code, (), None))

    assert [code] == [run for run in runs if len(run) >= len(code)]


def test_missing_detail_is_named():
    """R24: a missing detail that the text shows raises before anything is charged."""
    texts = messages({"payment": "{{ code }} {{ details.amount }} {{ details.payee }}"})

    with pytest.raises(ValueError, match=r"for purpose 'payment' shows details\.amount, details\.payee, which"):
        texts.check("payment", (), None)
    with pytest.raises(ValueError, match=r"for purpose 'payment' shows details\.amount, which"):
        texts.check("payment", (("payee", "Bob"),), None)


def test_details_that_are_not_shown():
    """T32: a detail that nobody would see is refused, unless its name begins with an underscore."""
    texts = messages({"pay": "{{ code }} pays {{ details.amount }}"})
    texts.check("login", (("_amount", "10 EUR"), ("_Any Key", "x" * 999)), "en")
    texts.check("pay", (("_id", "7"), ("amount", "10 EUR")), None)

    for purpose, details in [("login", (("amount", "10 EUR"),)), ("pay", (("amount", "10 EUR"), ("payee", "Ann")))]:
        with pytest.raises(ValueError, match=r"does not show .* of the details"):
            texts.check(purpose, details, None)
        with pytest.raises(ValueError, match=r"does not show .* of the details"):
            texts.render("verification", purpose, CODE, details, None)
    with pytest.raises(ValueError, match=r"details\['_amount'\]: no line break"):
        texts.check("login", (("_amount", "10\nEUR"),), None)


def test_hidden_details_are_never_shown():
    """T32: a detail whose name begins with an underscore cannot be shown, in Liquid either."""
    texts = messages({"pay": Liquid("{{ code }}{% for one in details %} {{ one }}{% endfor %}{{ details._id }}")})

    with pytest.raises(ValueError, match="cannot be rendered"):
        texts.check("pay", (("_id", "secret"),), None)


def test_detail_in_a_branch_that_is_not_taken():
    """T32: what counts is the text that is sent, and not that the template names the detail."""
    texts = messages({"pay": Liquid("{{ code }} {% if details.big %}{{ details.payee }}{% endif %}")})

    texts.check("pay", (("_x", "1"),), None)
    with pytest.raises(ValueError, match="does not show payee"):
        texts.check("pay", (("payee", "Ann"),), None)


def test_locale_that_is_not_shown():
    """A locale that the text does not show is not checked, because it may come from the browser."""
    messages().check("login", (), "\n")
    messages().check("login", (("_amount", "10 EUR"),), "\n")


def test_long_details_are_refused():
    """Details and locale may fill two segments exactly, including the autofill line."""
    texts = messages({"login": "{{ code }} {{ details.a }}{{ locale }}"}, origin="a.example")
    room = 306 - len("012345 \n@a.example #012345")
    texts.check("login", (("a", "a" * room),), None)
    texts.check("login", (("a", "a" * (room - 2)),), "en")

    for length, locale in [(room + 1, None), (room - 1, "en")]:
        with pytest.raises(ValueError, match="locale: it takes 3 segments of GSM-7, and 2 are allowed"):
            texts.check("login", (("a", "a" * length),), locale)


@pytest.mark.parametrize("value", ["hunter2\n", "hunter2 www.", "hunter2 ✓" * 99, "@hunter2 #1"])
@pytest.mark.parametrize("given_as", ["details", "locale"])
def test_errors_show_no_value(value, given_as):
    """No error shows a value from the call."""
    shown = "details.a" if given_as == "details" else "locale"
    texts = messages({"login": f"{{{{ {shown} }}}} {{{{ code }}}}"})
    details, locale = ((("a", value),), None) if given_as == "details" else ((), value)

    with pytest.raises(ValueError, match=given_as) as caught:
        texts.check("login", details, locale)
    assert [] == re.findall("hunter2|✓", str(caught.value))


def test_render_refuses_to_leave_a_detail_out():
    """T12: rendering without a needed detail raises, and no frame of the traceback shows the code."""
    texts = messages({"payment": "{{ code }} {{ details.amount }}"})

    with pytest.raises(ValueError, match=r"shows details\.amount") as caught:
        texts.render("verification", "payment", CODE, (), None)
    frames = list(traceback.walk_tb(caught.value.__traceback__))[1:]
    assert frames
    assert CODE not in repr([frame.f_locals for frame, _ in frames])


def test_repr_is_short():
    """The repr lists the names of the texts, not their contents."""
    assert "<Messages for enrollment, verification, login>" == repr(messages({"login": "{{ code }} x"}))


class TestLanguages:
    """The choice of a text by language."""

    @pytest.fixture(autouse=True)
    def _forget(self):
        """Clear the cache, so that each test compiles the built-in texts."""
        _built_in.cache_clear()

    @pytest.mark.parametrize(
        "locale, language, expected",
        [
            (None, "en", "012345 is your verification code for Acme"),
            ("de-AT", "de", "012345 ist Ihr Bestätigungscode für Acme"),
            ("zh_TW", "zh-Hant", "012345 是您的 Acme 驗證碼"),
            ("tlh", "en", "012345 is your verification code for Acme"),
        ],
    )
    @pytest.mark.parametrize("purpose", ["login", "anything"])
    def test_built_in(self, purpose, locale, language, expected):
        """Without templates a user gets the built-in text of their language, or English."""
        texts = messages()

        assert language == texts.language(purpose, locale)
        assert expected == texts.render("verification", purpose, CODE, (), locale)

    def test_built_in_enrollment(self):
        """An enrolment text is in the user's language too."""
        assert "012345 — код для подтверждения номера в Acme" == messages().render(
            "enrollment", "enrollment", CODE, (), "ru"
        )

    def test_some(self):
        """With ``languages`` the first one is for users who read none of them."""
        texts = messages(languages=["fr", "de"])

        assert ("fr", "de", "fr") == tuple(texts.language("login", locale) for locale in (None, "de-CH", "en"))
        assert ("fr", "de") == texts.languages
        assert texts.render("verification", "login", CODE, (), "en").startswith("012345 est votre code")

    def test_long_host(self):
        """A language whose texts do not fit falls back to English, and raises if it was listed explicitly."""
        origin = "a-host-with-a-very-long-name.of.a.company.that-likes.example.com"
        texts = messages(origin=origin, app_name="Acme Online Bank of the North")

        assert ("de", "en") == (texts.language("login", "de"), texts.language("login", "el"))
        with pytest.raises(
            ConfigurationError, match=r"^languages: the text in 'el' for 'enrollment': it takes 3 segments"
        ):
            messages(origin=origin, app_name="Acme Online Bank of the North", languages=["de", "el"])

    def test_too_long_for_all(self):
        """English texts that do not fit raise."""
        with pytest.raises(
            ConfigurationError, match=r"^languages: the text in 'en' for 'enrollment': it takes 3 segments"
        ):
            messages(origin="a." * 110 + "com")

    def test_own(self):
        """Templates can be given by language, the first one for all other users. Other purposes keep their texts."""
        texts = messages({"payment": {"en": "Pay: {{ code }}", "fr": "Payer : {{ code }}"}})

        assert "Pay: 012345" == texts.render("verification", "payment", CODE, (), None)
        assert "Payer : 012345" == texts.render("verification", "payment", CODE, (), "fr-CA")
        assert "Pay: 012345" == texts.render("verification", "payment", CODE, (), "de")
        assert ("en", "fr", "en") == tuple(texts.language("payment", locale) for locale in (None, "fr-CA", "de"))
        assert "de" == texts.language("login", "de")

    @pytest.mark.parametrize("locale, purpose", [("sw", "login"), ("sw", "payment"), ("sw", "enrollment")])
    def test_english(self, locale, purpose):
        """A spoken text in another language has an English one, with the digits of the code apart."""
        texts = messages({"payment": {"sw": "Lipa: {{ code }}", "en-GB": "Pay: {{ code }}"}})

        expected = {"payment": "Pay: 0, 1, 2, 3, 4, 5. Pay: 0, 1, 2, 3, 4, 5."}
        default = "Your verification code for Acme is 0, 1, 2, 3, 4, 5. Once more: 0, 1, 2, 3, 4, 5."
        assert expected.get(purpose, default) == texts.english(purpose, CODE, (), locale)

    def test_english_of_the_purpose(self):
        """Without an English text of its own, a purpose is spoken with the built-in one."""
        texts = messages({"login": {"sw": "Ingia: {{ code }}"}}, languages=["sw"])

        assert texts.english("login", CODE, (), "sw").startswith("Your verification code for Acme is 0, 1, 2")

    @pytest.mark.parametrize(
        "templates, locale",
        [
            pytest.param(None, "en-GB", id="English already"),
            pytest.param(None, "tlh", id="English is the fallback"),
            pytest.param({"login": "{{ code }} pays {{ details.payee }}"}, "sw", id="unknown language"),
            pytest.param({"login": {"sw": "{{ code }} {{ details.payee }}"}}, "sw", id="details are not shown"),
            pytest.param({"login": {"sw": "{{ code }}", "en": "{{ code }} {{ details.x }}"}}, "sw", id="not given"),
        ],
    )
    def test_no_english(self, templates, locale):
        """T32: there is no English text if the text is English, or if the English one would not show the details."""
        details = () if templates and "{{ code }}" in str(templates) and "details.x" in str(templates) else PAYEE

        assert messages(templates).english("login", CODE, details, locale) is None

    def test_english_details(self):
        """An English text that shows the details is spoken with them."""
        texts = messages(
            {"login": {"sw": "{{ details.payee }}: {{ code }}", "en": "To {{ details.payee }}: {{ code }}."}}
        )

        spoken = "To Ann: 0, 1, 2, 3, 4, 5."
        assert f"{spoken} {spoken}" == texts.english("login", CODE, PAYEE, "sw")

    def test_one_for_all(self):
        """A template without a language is for all users, and its language is unknown."""
        texts = messages({"verification": "Any: {{ code }}"})

        assert "Any: 012345" == texts.render("verification", "login", CODE, (), "de")
        assert texts.language("login", "de") is None

    def test_built_in_and_own(self):
        """An application can replace one of the built-in texts and keep the others."""
        merged = {language: of["verification"] for language, of in built_in().items()} | {"de": "Code: {{ code }}"}
        texts = messages({"verification": merged})

        assert "Code: 012345" == texts.render("verification", "login", CODE, (), "de-DE")
        assert "012345 è il tuo codice di verifica per Acme" == texts.render("verification", "login", CODE, (), "it")

    @pytest.mark.parametrize(
        "wording, where",
        [
            ({"en": "no code"}, "['en']"),
            ({"en": "{{ code }}", "fr": {"sms": "{{ code }}", "voice": "no code"}}, "['fr']['voice']"),
            ({"fr": {"sms": "no code", "voice": "{{ code }}"}}, "['fr']['sms']"),
            ({"fr": {"sms": "{{ code }}", "whatsapp": "{{ code }}" + "x" * 995}}, "['fr']['whatsapp']"),
            ({"fr": {"sms": "no code"}}, "['fr']"),
            (Liquid("no code"), ""),
            ({"en": "{{ code }}", "fr": Liquid("{{ code")}, "['fr']"),
        ],
    )
    def test_where(self, wording, where):
        """A wrong template is named by purpose, language and channel."""
        with pytest.raises(ConfigurationError, match=re.escape(f"messages['login']{where}: ")):
            messages({"login": wording})


class TestChannels:
    """The texts of the channels."""

    def test_built_in(self):
        """Voice has its own text with the spelled code twice, and WhatsApp has the SMS text without its last line."""
        texts = messages(origin="example.com", android_hash="FA+9qCX9VSu")
        spoken = "0, 1, 2, 3, 4, 5"

        assert f"Ihr Bestätigungscode für Acme lautet {spoken}. Ich wiederhole: {spoken}." == texts.render(
            "verification", "login", CODE, (), "de", channel="voice"
        )
        assert f"Your verification code for Acme is {spoken}. Once more: {spoken}." == texts.render(
            "enrollment", "enrollment", CODE, (), None, channel="voice"
        )
        assert "012345 is your verification code for Acme" == texts.render(
            "verification", "login", CODE, (), None, channel="whatsapp"
        )
        assert "012345 is your verification code for Acme\n@example.com #012345 FA+9qCX9VSu" == texts.render(
            "verification", "login", CODE, (), None
        )

    @pytest.mark.parametrize(
        "channel, expected",
        [
            ("sms", "Pay with 012345\n@example.com #012345"),
            ("voice", "Pay with 0, 1, 2, 3, 4, 5. Pay with 0, 1, 2, 3, 4, 5."),
            ("whatsapp", "Pay with 012345"),
        ],
    )
    def test_one_template(self, channel, expected):
        """One template serves every channel: voice says it twice, and only SMS has the last line."""
        assert expected == rendered("Pay with {{ code }}", channel=channel, origin="example.com")

    @pytest.mark.parametrize(
        "channel, expected",
        [("sms", "S 012345"), ("voice", "V 0, 1, 2, 3, 4, 5! V 0, 1, 2, 3, 4, 5!"), ("whatsapp", "S 012345")],
    )
    def test_own(self, channel, expected):
        """A template can be given for a channel, and other channels use the SMS template."""
        wording = {"en": {"sms": "S {{ code }}", "voice": "V {{ code }}!"}}

        assert expected == rendered(wording, channel=channel)

    def test_every_channel_is_checked(self):
        """Details must suit every channel, because the next message may use another one."""
        both, one = "{{ code }} {{ details.a }} {{ details.b }}", "{{ code }} {{ details.a }}"
        texts = messages({"pay": {"en": {"sms": one, "voice": both}}})

        texts.check("pay", (("a", "1"), ("b", "2")), None, channel="voice")
        for channel in CHANNELS:
            with pytest.raises(ValueError, match=r"for purpose 'pay' shows details\.b, which"):
                texts.check("pay", (("a", "1"),), None, channel=channel)
        with pytest.raises(ValueError, match="it takes 3 segments of GSM-7"):
            texts.check("pay", (("a", "x" * 300), ("b", "2")), None, channel="voice")
        with pytest.raises(ValueError, match="does not show b of the details"):
            texts.check("pay", (("a", "1"), ("b", "2")), None)

    def test_samples(self):
        """The samples show every purpose, language and channel once."""
        texts = messages(
            {"pay": {"en": "{{ code }} {{ details.a }}", "fr": Liquid("{{code}} {{ locale }}")}}, languages=["de", "it"]
        )
        samples = list(texts.samples())

        built_in = [("enrollment", "de"), ("enrollment", "it"), ("verification", "de"), ("verification", "it")]
        assert [*built_in, ("pay", "en"), ("pay", "fr")] == list(dict.fromkeys(sample[:2] for sample in samples))
        assert len(samples) == 6 * len(CHANNELS)
        assert ("pay", "en", "sms", "000000 ") in samples
        assert ("pay", "fr", "whatsapp", "000000 fr") in samples
        assert ("verification", "it", "sms", "000000 è il tuo codice di verifica per Acme") in samples


class TestLiquid:
    """Liquid templates among the others."""

    BRANCHES = Liquid("{% if locale contains 'fr' %}Voici {{code}}{% else %}Here is {{code}}{% endif %}")
    CHANNELS = Liquid(
        "{% if message_type == 'voice' %}Your code: {{pause}} {{code}}.{% else %}Code {{code}}{% endif %}"
    )

    @pytest.mark.parametrize("locale, expected", [(None, "Here is 012345"), ("fr-CA", "Voici 012345")])
    def test_branches(self, locale, expected):
        """A template that branches by locale serves all languages."""
        assert expected == rendered(self.BRANCHES, locale=locale)

    def test_default_language(self):
        """A call without a locale gets the branch of the first language."""
        assert "Voici 012345" == rendered(self.BRANCHES, languages=["fr", "en"])
        assert "Voici 012345" == rendered({"fr": self.BRANCHES, "en": "{{ code }}"})

    @pytest.mark.parametrize(
        "channel, expected",
        [
            ("sms", "Code 012345"),
            ("voice", "Your code: ... 0, 1, 2, 3, 4, 5. Your code: ... 0, 1, 2, 3, 4, 5."),
            ("whatsapp", "Code 012345"),
        ],
    )
    def test_channels(self, channel, expected):
        """A template that branches by message type serves all channels."""
        assert expected == rendered(self.CHANNELS, channel=channel)

    @pytest.mark.parametrize("wrong", ["x" * 320, "123456", "{{ nothing }}", "https://x"], ids=lambda text: text[:13])
    def test_every_language_is_checked(self, wrong):
        """A branch that is wrong in only one language is found when the configuration is built."""

        def accepted(language):
            try:
                messages({"login": Liquid(f"{{% if locale == '{language}' %}}{wrong} {{% endif %}}{{{{ code }}}}")})
            except ConfigurationError as error:
                return not str(error).startswith("messages['login']: ")
            return True

        assert [] == [language for language in built_in() if accepted(language)]

    def test_details(self):
        """Liquid shows details, a missing one raises, and an enrolment cannot show any."""
        template = Liquid("{{code}} pays {{ details.amount }}{% if details.to %} to {{ details.to }}{% endif %}")

        assert "012345 pays 1" == rendered(template, (("amount", "1"),))
        assert "012345 pays 1 to Bob" == rendered(template, (("amount", "1"), ("to", "Bob")))
        with pytest.raises(ValueError, match=r"for purpose 'login' cannot be rendered: details\.amount is undefined"):
            rendered(template)
        with pytest.raises(ConfigurationError, match="an enrolment has no details"):
            messages({"enrollment": template})

    def test_code_is_not_in_an_error(self):
        """T12: if a text cannot be rendered, the traceback does not show the code."""
        texts = messages({"pay": Liquid("{{code}} {{ details.to }}")})
        with pytest.raises(ValueError, match="cannot be rendered") as caught:
            texts.render("verification", "pay", CODE, (), None)

        frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
        assert [] == [frame.name for frame in frames if CODE in str(frame.locals) and "test_" not in frame.filename]
        assert caught.value.__context__ is None


@pytest.mark.parametrize("detail", ["علی می‌خواهد", "क्‌ष", "র‍্যাব"])
def test_joiners_of_a_spelling(detail):
    """A detail, an application name or a template may contain the joiners of its spelling."""
    assert f"012345 {detail}" == rendered("{{ code }} {{ details.payee }}", (("payee", detail),))
    assert f"{detail} 012345 {detail}" == rendered(f"{detail} {{{{ code }}}} {{{{ app_name }}}}", app_name=detail)


@pytest.mark.parametrize(
    "template, details",
    [
        ("{{ code }} {{ details.a }} {{ details.b }}", (("a", "500"), ("b", "123"))),
        ("{{ code }} {{ details.a }}{{ details.b }}", (("a", "12345"), ("b", "6"))),
        ("{{ code }} {{ details.a }}/{{ details.b }}", (("a", "evil.com"), ("b", "login"))),
    ],
)
def test_details_that_add_up(template, details):
    """T33: values that are harmless apart are refused if the text joins them to a code or a link."""
    texts = messages({"pay": template})

    with pytest.raises(ValueError, match=r"could be taken for the code|no link"):
        texts.check("pay", details, None)


@pytest.mark.parametrize("value", ["Acme", "is", "e", "0"])
def test_words_of_the_text_are_not_details(value):
    """T32: a value that the text contains anyway is not shown by it."""
    with pytest.raises(ValueError, match="does not show payee"):
        messages().check("login", (("payee", value),), None)


def test_filter_of_a_detail():
    """A template may change how a detail looks."""
    messages({"pay": Liquid("{{ code }} {{ details.payee | upcase }}")}).check("pay", (("payee", "Ann"),), None)


def test_too_long_for_an_android_hash():
    """A text that is too long for Android names the hash among what could be left out."""
    hash_of_the_app = "FA+9qCX9VSu"
    given = {"enrollment": "{{ code }} " + "x" * 150, "verification": "{{ code }}"}

    with pytest.raises(ConfigurationError, match=r"shorten it, app_name or origin, or leave out android_hash$"):
        Messages(
            given, app_name="Acme", digits=6, lifetime=timedelta(minutes=5), origin=None, android_hash=hash_of_the_app
        )
