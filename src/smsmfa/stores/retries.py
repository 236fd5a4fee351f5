"""What stores raise inside, to have an operation tried again."""

from ..exceptions import StoreError


class Undone(Exception):
    """An attempt failed and has changed nothing, so the operation may be tried again.

    Args:
        error: what to raise when there is no time for another attempt.
    """

    def __init__(self, error: StoreError) -> None:
        super().__init__(error)
        self.error = error
