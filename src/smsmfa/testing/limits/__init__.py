"""The laws that a rate limiter has to keep, and Hypothesis strategies for limits and for what happens to them."""

from .strategies import GiveBack, Hit, Move, Step, limits, traces

__all__ = ["GiveBack", "Hit", "Move", "Step", "limits", "traces"]
