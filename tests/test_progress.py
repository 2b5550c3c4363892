"""Progress is a function that is told the stage, what is done and what there is to do."""

from seenn_convert.progress import Counter, silent


def test_a_counter_reports_its_running_sum_from_zero() -> None:
    seen: list[tuple[str, int, int]] = []
    counter = Counter(lambda *report: seen.append(report), "calibrating", 10)
    counter.add(4)
    counter.add(6)

    assert seen == [("calibrating", 0, 10), ("calibrating", 4, 10), ("calibrating", 10, 10)]


def test_silence_is_a_progress_too() -> None:
    counter = Counter(silent, "calibrating", 2)
    counter.add(2)

    assert counter.done == 2
