"""The signatures in ``reference/api.md``, read from the source: ``python docs/signatures.py`` writes them anew."""

import ast
import textwrap
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import smsmfa

PACKAGE = Path(smsmfa.__file__).parent
PAGE = Path(__file__).parent / "reference" / "api.md"
BEGIN, END = "<!-- made by docs/signatures.py from here -->\n", "<!-- to here -->\n"
#: The classes that applications call. An asynchronous twin has the same methods.
SHOWN = [
    "Enroller",
    "Verifier",
    "RateLimiter",
    "CodeGenerator",
    "SqliteStore",
    "PostgresStore",
    "RedisStore",
    "SqlAlchemyStore",
    "DjangoStore",
    "EncryptedStore",
    "TwilioSender",
    "VonageSender",
    "HttpSender",
    "AwsSender",
    "SnsSender",
    "AppriseSender",
    "FailoverSender",
]
#: Methods that another part of the library calls.
INNER = {"CodeGenerator": {"sign"}}
STORE, SENDER = {"read", "update"}, {"send", "confirm"}


def listing() -> str:
    """Return the signatures, without the types of arguments, and without the methods of the protocols."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
    classes = {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
    lines = (line for name in SHOWN for line in _lines(name, classes))
    return "\n".join(textwrap.fill(line, 116, subsequent_indent=" " * 8, break_on_hyphens=False) for line in lines)


def _lines(name: str, classes: dict[str, ast.ClassDef]) -> Iterator[str]:
    yield f"{name}({_arguments(_constructor(classes[name], classes))})"
    hidden = INNER.get(name, STORE if name.endswith("Store") else SENDER if name.endswith("Sender") else set())
    for node in classes[name].body:
        if isinstance(node, ast.FunctionDef) and node.name not in hidden and not node.name.startswith("_"):
            returned = ast.unparse(node.returns) if node.returns else ""
            arrow = f" -> {returned}" if returned not in {"", "None", "Self"} else ""
            yield f"    .{node.name}({_arguments(node)}){arrow}"


def _constructor(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> ast.FunctionDef:
    """Return ``__init__`` of a class, or of the nearest base that has one."""
    line = [node]
    for current in line:
        for inner in current.body:
            if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
                return inner
        bases = (ast.unparse(base).rpartition(".")[2].partition("[")[0] for base in current.bases)
        line += [classes[base] for base in bases if base in classes]
    raise ValueError(f"{node.name} has no __init__")


def _arguments(node: ast.FunctionDef) -> str:
    arguments = deepcopy(node.args)
    for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
        argument.annotation = None
    for extra in (arguments.vararg, arguments.kwarg):
        if extra:
            extra.annotation = None
    first = arguments.posonlyargs or arguments.args
    del first[:1]  # self or cls
    return ast.unparse(arguments)


def written(page: str) -> str:
    """Return the page with new signatures."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n```text\n{listing()}\n```\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
