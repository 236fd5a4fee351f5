"""The command line: ``python -m smsmfa demo`` and ``python -m smsmfa doctor``."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from . import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status. Without a command, print the help and return 2."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.run is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        status: int = chosen.run(chosen)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter's own flush complains
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m smsmfa", description="An SMS second factor for Python.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    demo = commands.add_parser("demo", help="walk through the factor in this terminal; nothing is sent")
    demo.add_argument("--auto", action="store_true", help="play both sides, without input")
    demo.add_argument("--web", action="store_true", help="in a browser instead, with the operator's pages")
    demo.add_argument("--port", type=int, default=8000, help="the port for --web (8000)")
    demo.add_argument("--data", default="smsmfa-demo", help="the folder for --web to keep its files in (smsmfa-demo)")
    demo.set_defaults(run=_demo)
    doctor = commands.add_parser(
        "doctor", help="check the settings in the environment, the Twilio account and the store"
    )
    doctor.add_argument("--json", action="store_true", help="print the findings for a program")
    doctor.set_defaults(run=_doctor)
    return parser


def _demo(chosen: argparse.Namespace) -> int:
    if chosen.web:
        return _demo_in_browser(chosen)
    from .demo import run

    return run(auto=chosen.auto)


def _demo_in_browser(chosen: argparse.Namespace) -> int:
    if find_spec("flask") is None:
        print('The demo in the browser needs Flask; run: pip install "smsmfa[demo]"', file=sys.stderr)
        return 2
    from .demo.web import serve

    return serve(Path(chosen.data), chosen.port)


def _doctor(chosen: argparse.Namespace) -> int:
    from .doctor import as_json, as_table, examine, failed

    findings = examine()
    print(as_json(findings) if chosen.json else as_table(findings))
    return 1 if failed(findings) else 0


if __name__ == "__main__":
    sys.exit(main())
