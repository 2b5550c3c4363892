"""Times are medians of interleaved runs, for each image."""

import pytest
import small_artifacts as small

from seenn_convert.measure import timing
from seenn_convert.runtime.policies import FixedPolicy

BATCHES = list(small.draw(30, 61)[0].split(16))


def test_a_timestep_costs_what_all_of_them_take_without_the_stem(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stem takes 1, 1, 1 seconds and the whole run 9, 5, 7: (7 - 1) / 4 a timestep, for 30 images together."""
    spans = iter([1.0, 9.0, 1.0, 5.0, 1.0, 7.0])
    monkeypatch.setattr(timing, "_seconds", lambda way, batches, device: next(spans))
    prices = timing.time_stem_and_step(small.model(4), BATCHES)

    assert prices == pytest.approx((1000 / 30, 1000 * 1.5 / 30))


def test_a_plan_is_timed_without_the_stem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two batches, three runs of each: 1 + 10, 2 + 20, 3 + 30 seconds; the middle run counts, for 30 images."""
    model, planned, driven = small.model(4), [], []
    spans = iter([1.0, 2.0, 3.0, 10.0, 20.0, 30.0])
    monkeypatch.setattr(timing, "_seconds", lambda way, batches, device: (driven.clear(), way(batches), next(spans))[2])
    monkeypatch.setattr(model, "drive", lambda image: driven.append(image) or ())
    monkeypatch.setattr(model, "plan", lambda image, drives: planned.append((len(image), len(driven))))

    assert timing.time_plan(model, BATCHES) == pytest.approx(1000 * 22 / 30)
    assert [count for count, _ in planned] == [16] * 4 + [14] * 4
    assert all(drives == 0 for _, drives in planned[1:4])


def test_early_exit_is_timed_with_the_policy_given() -> None:
    average, milliseconds = timing.time_early_exit(small.model(4), BATCHES, FixedPolicy(3), repeats=2)
    assert average == 3
    assert milliseconds > 0


def test_the_parts_of_an_answer_are_timed_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """ANN 3, 4, 5 seconds, stem 1, 1, 1, stem with two steps 5, 9, 7: medians 4, 1 and (7 - 1) / 2, for 16 images."""
    spans = iter([3.0, 1.0, 5.0, 4.0, 1.0, 9.0, 5.0, 1.0, 7.0])
    monkeypatch.setattr(timing, "_seconds", lambda way, batches, device: next(spans))
    found = timing.time_parts(small.ann_program(), small.model(4), BATCHES[0])
    assert found == pytest.approx((1000 * 4 / 16, 1000 / 16, 1000 * 3 / 16))
