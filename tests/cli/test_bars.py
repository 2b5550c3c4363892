"""Progress bars tell how long a stage still takes."""

import io

from rich.console import Console

from seenn_convert.cli.bars import bars


class Clock:
    """Seconds that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_follows_from_the_speed_of_the_stage() -> None:
    """A quarter done in 30 s leaves 90 s, of which 10 s have gone by since; a stage that is done tells what it took."""
    clock, out = Clock(), io.StringIO()
    with bars(Console(file=out, width=100), clock) as progress:
        progress("tuning the exit", 0, 40)
        clock.now += 30
        progress("tuning the exit", 10, 40)
        clock.now += 10
    assert "tuning the exit" in out.getvalue() and "0:01:20 left" in out.getvalue()

    out.truncate(0)
    with bars(Console(file=out, width=100), clock) as progress:
        progress("ANN", 0, 2)
        clock.now += 65
        progress("ANN", 2, 2)
        clock.now += 10
    assert "0:01:05" in out.getvalue() and "left" not in out.getvalue()


def test_a_stage_that_begins_again_is_timed_anew() -> None:
    clock, out = Clock(), io.StringIO()
    with bars(Console(file=out, width=100), clock) as progress:
        progress("ANN", 0, 2)
        clock.now += 1000
        progress("ANN", 2, 2)
        progress("ANN", 0, 2)
        clock.now += 7
        progress("ANN", 1, 2)
    assert "0:00:07 left" in out.getvalue()
