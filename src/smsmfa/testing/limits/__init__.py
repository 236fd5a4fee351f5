"""The laws of a rate limiter, and Hypothesis strategies for limits and for what happens to a limiter."""

from .strategies import GiveBack, Hit, Move, Step, limits, moves, traces

__all__ = ["GiveBack", "Hit", "Move", "Step", "limits", "moves", "traces"]
