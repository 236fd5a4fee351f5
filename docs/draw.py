"""Draw the pictures of the documentation: ``python docs/draw.py`` writes them to ``docs/_static``.

``demo.svg`` shows what the demo prints, and ``layers.svg`` is checked against the imports of the package. A test
compares all files with what this script draws.
"""

import ast
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from html import escape
from io import StringIO
from pathlib import Path

import smsmfa
from smsmfa.demo import run

FOLDER = Path(__file__).parent / "_static"
PACKAGE = Path(smsmfa.__file__).parent

STYLE = """
text { font: 14px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.code { font: 13px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre }
.small { font-size: 12px; fill: #59636e }
.strong { font-weight: 600 }
.middle { text-anchor: middle }
.paper { fill: #ffffff; stroke: #d1d9e0 }
.box { fill: #f2f6fb; stroke: #8fa5bd }
.field { fill: #ffffff; stroke: #8c959f }
.good { fill: #e6f6ea; stroke: #55a868 }
.bad { fill: #fdf0ee; stroke: #d08374 }
.button { fill: #1f6feb; stroke: none }
.on { fill: #ffffff }
.line { stroke: #59636e; stroke-width: 1.4; fill: none }
.dash { stroke-dasharray: 5 4 }
.thin { stroke: #c2ccd6; fill: none }
.head { fill: #59636e; stroke: none }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9da7b3 }
  .paper { fill: #12171e; stroke: #3d444d }
  .box { fill: #1c2733; stroke: #51677f }
  .field { fill: #0d1117; stroke: #656c76 }
  .good { fill: #14301f; stroke: #3f8f57 }
  .bad { fill: #3a201c; stroke: #a1584a }
  .on { fill: #ffffff }
  .line { stroke: #9da7b3 }
  .thin { stroke: #3d444d }
  .head { fill: #9da7b3 }
}
"""


def picture(width: int, height: int, title: str, parts: list[str], style: str = STYLE) -> str:
    """Return an SVG file with its own background, so that it can be read on light and dark pages."""
    head = '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    root = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="title"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {root}>',
            f'<title id="title">{escape(title)}</title>',
            f"<style>{style}</style>",
            f'<defs>{head}<path class="head" d="M0 0L8 4L0 8z"/></marker></defs>',
            f'<rect class="paper" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10"/>',
            *parts,
            "</svg>\n",
        ]
    )


def text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str = "box", radius: int = 6) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"/>'


def arrow(path: str, kind: str = "") -> str:
    return f'<path class="line {kind}" marker-end="url(#head)" d="{path}"/>'


# --- the demo


def printed() -> list[str]:
    """Return what the second part of the demo prints, with the same codes each time."""
    with redirect_stdout(StringIO()) as screen:
        run(auto=True)
    _, _, rest = screen.getvalue().partition("── 2.")
    shown = "── 2." + rest.partition("── 3.")[0].rstrip()
    right, wrong = dict.fromkeys(re.findall(r"\b\d{6}\b", shown))
    return with_codes(shown, {right: "676130", wrong: "676131"}).split("\n")


def with_codes(shown: str, codes: dict[str, str]) -> str:
    """Replace the codes of this run, which are new in each, by those of the picture."""
    return re.sub(r"\b\d{6}\b", lambda found: codes.get(found[0], found[0]), shown)


DARK = """
.paper { fill: #12171e; stroke: #3d444d }
text { font: 13px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d5dde6; white-space: pre }
.call { fill: #79b8ff }
.good { fill: #7ee2a0 }
.bad { fill: #ff9d8f }
.dim { fill: #8b949e }
"""
KINDS = {">>>": "call", "✓": "good", "✗": "bad", "──": "dim", "$": "dim"}


def demo() -> str:
    """The terminal, as it looks during a login in the demo."""
    lines = ["$ python -m smsmfa demo", "…", *printed()]
    parts = []
    for number, line in enumerate(lines):
        kind = KINDS.get(line.split(" ")[0], "")
        spaced = line.replace(" ", "\N{NO-BREAK SPACE}")
        parts.append(text(20, 32 + 18 * number, spaced, kind))
    return picture(660, 40 + 18 * len(lines), "A login in the demo, in a terminal", parts, DARK)


# --- by hand


def pages() -> str:
    """A page of a login, and the phone."""
    parts = [
        box(30, 30, 330, 250, "field", 8),
        '<path class="thin" d="M30 62H360"/>',
        *(f'<circle class="box" cx="{x}" cy="46" r="5"/>' for x in (48, 64, 80)),
        text(195, 51, "login.example.com", "small middle"),
        text(56, 102, "Log in to Acme", "strong"),
        text(56, 130, "Enter the code that we sent to ••••71."),
        box(56, 148, 150, 36, "field"),
        text(72, 171, "676130", "code strong"),
        box(218, 148, 90, 36, "button"),
        text(263, 171, "Log in", "on middle strong"),
        text(56, 220, "Send it again"),
        '<path class="line" d="M56 224H146"/>',
        text(56, 250, "Lost your phone? Use a recovery code"),
        '<path class="line" d="M56 254H322"/>',
        box(440, 20, 190, 270, "box", 22),
        box(452, 48, 166, 208, "field", 6),
        '<path class="line" d="M515 34H555"/>',
        '<circle class="line" cx="535" cy="273" r="9"/>',
        text(464, 74, "Acme", "small"),
        box(462, 84, 146, 70, "good", 10),
        text(472, 106, "676130 is your", ""),
        text(472, 124, "verification code", ""),
        text(472, 142, "for Acme", ""),
        arrow("M434 166C410 166 390 166 368 166"),
    ]
    return picture(660, 310, "A login page that asks for a code, and a phone that shows the code", parts)


ACTORS = {"app": 95, "verifier": 310, "store": 560, "sender": 650, "phone": 740}
STEPS = [
    ("app", "verifier", 'challenge("alice")', False),
    ("verifier", "store", "charge the limits, save the challenge", False),
    ("verifier", "sender", "send the message", False),
    ("sender", "phone", "the SMS", False),
    ("verifier", "app", "Challenge", True),
    ("phone", "app", "alice types 676130 into your page", False),
    ("app", "verifier", 'verify("alice", id, code)', False),
    ("verifier", "store", "charge the attempt, compare the codes", False),
    ("verifier", "app", "Verification, or an error", True),
]


def sequence() -> str:
    """A login, from the challenge to the proof."""
    names = {"app": "your application", "verifier": "Verifier", "store": "store", "sender": "sender", "phone": "phone"}
    bottom = 96 + 44 * len(STEPS)
    parts = []
    for actor, x in ACTORS.items():
        width = 150 if actor == "app" else 80
        parts += [f'<path class="thin" d="M{x} 58V{bottom - 24}"/>', box(x - width / 2, 22, width, 36)]
        parts.append(text(x, 45, names[actor], "middle strong"))
    for number, (begin, end, words, answer) in enumerate(STEPS):
        y, (x1, x2) = 104 + 44 * number, (ACTORS[begin], ACTORS[end])
        parts.append(arrow(f"M{x1} {y}H{x2 + (3 if x1 > x2 else -3)}", "dash" if answer else ""))
        left = min(x1, x2) + 10 if (begin, end) != ("phone", "app") else x2 + 240
        parts.append(text(left, y - 7, words, "small" if '"' not in words else "code"))
    return picture(800, bottom, "A login as a sequence of calls and messages", parts)


def states() -> str:
    """The states of a challenge."""
    parts = [
        '<circle class="head" cx="40" cy="150" r="7"/>',
        arrow("M47 150H178"),
        text(112, 141, "challenge", "code middle"),
        box(180, 118, 150, 64),
        text(255, 146, "live", "strong middle"),
        text(255, 166, "5 minutes, 5 attempts", "small middle"),
        arrow("M225 118C205 72 305 72 285 120"),
        text(255, 60, "resend: the same code again", "small middle"),
        text(255, 44, "verify: a wrong code costs an attempt", "small middle"),
    ]
    ends = [
        ("used", "good", "the right code lets the user in, once"),
        ("replaced", "box", "a new challenge for the same purpose"),
        ("exhausted", "bad", "five wrong codes"),
        ("expired", "bad", "five minutes have passed"),
    ]
    for number, (name, kind, why) in enumerate(ends):
        y = 24 + 66 * number
        parts += [
            box(440, y, 260, 50, kind),
            text(570, y + 21, name, "strong middle"),
            text(570, y + 40, why, "small middle"),
            arrow(f"M330 {132 + 12 * number}C390 {132 + 12 * number} 370 {y + 25} 438 {y + 25}"),
        ]
    parts += [
        '<path class="line dash" d="M700 247H722M700 181H722V300"/>',
        arrow("M722 300H255V184", "dash"),
        text(275, 292, "resend, within a day: a new code", "small"),
    ]
    return picture(750, 322, "The states of a challenge", parts)


# --- the layers

#: The layers from top to bottom. A module imports only its own layer and those below it.
LAYERS = [
    ("Programs and test kit", ["__main__", "demo", "doctor", "testing"]),
    ("Frameworks", ["web", "stores/django"]),
    ("Called by applications", ["__init__", "enroller", "verifier", "profiles"]),
    ("One call", ["core/shell", "core/transaction", "core/results", "core/audit"]),
    ("Decisions", ["core/decisions", "core/rules", "core/answers"]),
    ("State of one call", ["core/book", "core/operation", "core/outcomes", "core/request"]),
    ("Configuration", ["config"]),
    ("Backends", ["stores", "senders"]),
    ("Arithmetic and texts", ["limiter", "codes", "core/proofs", "core/arguments", "texts", "environment"]),
    ("Protocols and values", ["typing", "values", "events", "core/records"]),
    ("Ground", ["phone", "exceptions", "core/opaque", "core/typed"]),
]
FOLDED = {"demo", "senders", "stores", "stores/django", "testing", "texts", "web"}


def module_imports() -> dict[str, set[str]]:
    """Return what each module imports from the package. A folder counts as one module, but ``core`` does not."""
    files = {path.relative_to(PACKAGE).with_suffix("").parts: path for path in PACKAGE.rglob("*.py")}
    known = {tuple(part for part in parts if part != "__init__"): parts for parts in files}
    found: dict[str, set[str]] = {}
    for name, parts in known.items():
        inside = found.setdefault(_unit(name), set())
        for base, wanted in _relative(ast.parse(files[parts].read_text(encoding="utf-8")), parts):
            inner = (*base, wanted)
            inside.add(_unit(inner if inner in known else base))
    found.pop("core")
    return {unit: inside - {unit, "__init__", "core"} for unit, inside in found.items()}


def _unit(name: tuple[str, ...]) -> str:
    for wide in (2, 1):
        if "/".join(name[:wide]) in FOLDED:
            return "/".join(name[:wide])
    return "/".join(name) or "__init__"


def _relative(node: ast.AST, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each relative import of a module, and each use of a lazy module as in ``core.decisions.start``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.ImportFrom) and child.level:
            base = parts[: len(parts) - child.level] + tuple((child.module or "").split(".") if child.module else ())
            yield from ((base, alias.name) for alias in child.names)
        if isinstance(child, ast.Attribute) and isinstance(child.value, ast.Name) and child.value.id == "core":
            yield ("core",), child.attr
        yield from _relative(child, parts)


def order() -> dict[str, int]:
    """Return the layer of each module, counted from the top.

    Raises:
        ValueError: a module is in no layer, or imports from a layer above its own.
    """
    place = {name: number for number, (_, names) in enumerate(LAYERS) for name in names}
    imports = module_imports()
    if place.keys() != imports.keys():
        raise ValueError(f"LAYERS in docs/draw.py differ from src/smsmfa: {sorted(place.keys() ^ imports.keys())}")
    upward = [f"{name} imports {other}" for name in imports for other in imports[name] if place[other] < place[name]]
    if upward:
        raise ValueError(f"imports that go up the layers of docs/draw.py: {upward}")
    return place


def layers() -> str:
    """The layers of the package, checked against its imports."""
    order()
    parts = []
    for number, (title, names) in enumerate(LAYERS):
        y = 50 + 46 * number
        kind = "good" if title == "Decisions" else "box"
        parts += [box(20, y, 820, 38, kind), text(34, y + 24, title, "strong")]
        x = 222
        for name in names:
            width = 18 + 7.85 * len(name)
            parts += [box(x, y + 6, round(width), 26, "field", 4), text(x + 9, y + 24, name, "code")]
            x += round(width) + 8
    parts.append(text(20, 30, "Each module imports only from its own layer and from those below it.", "small"))
    return picture(860, 50 + 46 * len(LAYERS) + 10, "The layers of the package smsmfa", parts)


DRAWINGS = {"demo": demo, "layers": layers, "pages": pages, "sequence": sequence, "states": states}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, draw in DRAWINGS.items():
        (FOLDER / f"{name}.svg").write_text(draw(), encoding="utf-8")
