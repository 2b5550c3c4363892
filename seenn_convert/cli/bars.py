"""Progress bars on a terminal: a line for each stage, with the time that it has left."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from seenn_convert.progress import Progress


class TimeColumn(ProgressColumn):
    """How long a stage still takes, by its speed until its last step; how long it took, once it is done."""

    max_refresh = 0.5

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.clock = clock

    def render(self, task: Task) -> Text:
        """Return the text for one stage; there is none before its first step."""
        if task.finished:
            return Text(_clock_time(task.finished_time or 0), style="progress.elapsed")
        ends = task.fields.get("ends")
        left = "" if ends is None else f"{_clock_time(max(0, ends - self.clock()))} left"
        return Text(left, style="progress.remaining")


@contextmanager
def bars(console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> Iterator[Progress]:
    """Yield a progress function that draws a bar for each stage; the ``clock`` tells seconds."""
    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeColumn(clock))
    tasks: dict[str, tuple[TaskID, float]] = {}
    with Bars(*columns, console=console or Console(stderr=True), get_time=clock) as drawn:

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = drawn.add_task(stage, total=total), clock()
            elif done == 0:  # it begins again, with other data
                tasks[stage] = tasks[stage][0], clock()
                drawn.reset(tasks[stage][0], total=total, ends=None)
            task, start = tasks[stage]
            ends = clock() + (clock() - start) * (total - done) / done if done else None
            drawn.update(task, completed=done, total=total, ends=ends)

        yield show


def _clock_time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
