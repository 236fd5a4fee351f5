"""What the enroller and the verifier share: they run a decision, and they reserve, send and settle a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:

    pass

