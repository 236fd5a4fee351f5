"""Sphinx configuration."""

from importlib.metadata import version as installed_version

from sphinx.ext.napoleon import GoogleDocstring

project = "smsmfa"
author = "the smsmfa authors"
copyright = "2026, the smsmfa authors"
version = release = installed_version("smsmfa")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"smsmfa {release}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_member_order = "bysource"

nitpicky = True
# What belongs to other projects, whose inventories are not fetched, and names that only annotations use.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(abc|attr|attrs|boto3|builtins|collections|contextlib|datetime|cryptography|django|email|enum|fractions|hypothesis|msgspec|os|psycopg|psycopg_pool|pytest|redis|sqlalchemy|time|twilio|types|typing|uuid)\..*",
    ),
    ("py:.*", r"(bool|bytes|dict|float|frozenset|int|list|object|set|str|tuple|type|None|Ellipsis)"),
    ("py:.*", r"(AttributeError|Exception|KeyError|OSError|RuntimeError|TypeError|ValueError)"),
    ("py:.*", r"(Async)?(ConnectionPool|Engine|HttpClient|Redis(Cluster)?)"),
    (
        "py:.*",
        r"(\w+\.)*(APIRouter|BaseLoader|Flask|HttpRequest|PathLike|Response|Router|Starlette|Translate|UserId|View)",
    ),
    ("py:.*", r"(UUID|date|datetime|timedelta|timezone)"),
    ("py:.*", r"(\w+\.)*([A-Z]|AnyNumber|Listener|Wording)"),  # type variables, and aliases
    ("py:.*", r"smsmfa\.(codes|core\.\w+|testing\.limits\.trial)\..*"),  # inside only
]


def _at_its_public_name(app, env, node, contnode):
    """Link ``smsmfa.verifier.Verifier``, as annotations spell it, to ``smsmfa.Verifier``, where it is documented."""
    if node.get("refdomain") != "py":
        return None
    name = node.get("reftarget", "").rpartition(".")[2]
    for module in (
        "",
        "typing.",
        "testing.",
        "senders.console.",
        "senders.twilio.",
        "senders.vonage.",
        "senders.twilio.errors.",
        "senders.report.",
        "senders.errors.",
        "values.",
        "web.",
    ):
        public = f"smsmfa.{module}{name}"
        found = env.domains.python_domain.resolve_xref(
            env, node["refdoc"], app.builder, node["reftype"], public, node, contnode
        )
        if found is not None:
            return found
    return None


def _whole_text(docstring):
    """Napoleon reads ``word: text`` of an attribute as type and text; here a colon is a colon."""
    return "", docstring._consume_to_end()


#: Types as callers see them, where the code keeps something else.
_TYPES = {
    "FactorConfig": {
        "secret": "str | bytes | Iterable[str | bytes]",
        "regions": "Iterable[str]",
        "number_types": "Iterable[str]",
    },
    "Enrollment": {"recovery_codes": "tuple[str, ...]"},
    "Verification": {"recovery_codes": "tuple[str, ...]", "token": "str"},
}


def _public_types(app, what, name, obj, options, lines):
    lines.extend(f":type {argument}: {kind}" for argument, kind in _TYPES.get(name.rpartition(".")[2], {}).items())


def _readable(app, what, name, obj, options, signature, returns):
    """Write defaults as one would type them."""
    for shown, meant in (
        ("datetime.", ""),
        ("=NOTHING", "=Limits()"),
        ("<built-in function time_ns>", "time.time_ns"),
        ("frozenset({'*'})", "ALL_REGIONS"),
    ):
        signature = signature and signature.replace(shown, meant)
    return signature, returns


def setup(app):
    """Connect the above."""
    app.connect("autodoc-process-docstring", _public_types)
    app.connect("autodoc-process-signature", _readable)
    GoogleDocstring._consume_inline_attribute = _whole_text
    app.connect("missing-reference", _at_its_public_name)
