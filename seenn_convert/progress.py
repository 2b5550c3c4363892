"""How long-running work reports progress: a function of the stage, the amount done and the total."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""


class Counter:
    """Adds up increments of one stage and reports the sum."""

    def __init__(self, progress: Progress, stage: str, total: int) -> None:
        self.progress, self.stage, self.total, self.done = progress, stage, total, 0
        progress(stage, 0, total)

    def add(self, count: int) -> None:
        """Note that ``count`` more are done."""
        self.done += count
        self.progress(self.stage, self.done, self.total)
