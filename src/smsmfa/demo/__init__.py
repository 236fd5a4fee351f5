"""``python -m smsmfa demo``: the whole factor in a terminal, with a phone that is drawn. Nothing is sent."""

from .player import SCRIPT, Player
from .terminal import Terminal
from .walk import walk


def run(*, auto: bool) -> int:
    """Walk through the factor, and return an exit status: 1 where the input ended early, 130 after Ctrl-C.

    Where there is nobody to type, it plays both sides.

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
        terminal.say("\nThe input has ended. To watch without typing:\n  python -m smsmfa demo --auto")
        return 1
    except KeyboardInterrupt:
        terminal.say("\nStopped. Nothing was kept.")
        return 130
    return 0
