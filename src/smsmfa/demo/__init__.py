"""``python -m smsmfa demo``: the whole factor in a terminal, with a drawn phone. Nothing is sent."""

from .player import SCRIPT, Player
from .terminal import Terminal
from .walk import walk


def run(*, auto: bool) -> int:
    """Walk through the factor and return an exit status: 1 if the input ended early, 130 after Ctrl-C.

    If nobody is there to type, the demo plays both sides.

    Args:
        auto: play both sides, without input.
    """
    terminal = Player(SCRIPT) if auto else Terminal()
    try:
        walk(terminal)
    except EOFError:
        if not terminal.attended:
            terminal.say("\nNobody is here to type, so the demo plays both sides.\n")
            return run(auto=True)
        terminal.say("\nThe input ended too early. To watch without typing, run:\n  python -m smsmfa demo --auto")
        return 1
    except KeyboardInterrupt:
        terminal.say("\nStopped. Nothing was saved.")
        return 130
    terminal.say('\nThe same in a browser: pip install ".[demo]" && python -m smsmfa demo --web')
    return 0
