"""One pass shows what separate runs show, reads each image once, and says what it timed."""

from dataclasses import replace
from typing import Any

import pytest
import small_artifacts as small
import torch

from seenn_convert.data.dataset import Dataset
from seenn_convert.errors import InputError
from seenn_convert.ir.state import numbers_in_a_row
from seenn_convert.measure import one_pass
from seenn_convert.measure.ann import run_ann
from seenn_convert.measure.costs import run_counted
from seenn_convert.measure.layers import layer_rows
from seenn_convert.measure.one_pass import Seen, run_once
from seenn_convert.progress import silent
from seenn_convert.runtime import stopwatch
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import ThresholdPolicy
from seenn_convert.runtime.spiking_model import SpikingModel

DATA = small.dataset(70, seed=71)
IMAGES = small.draw(70, 71)[0]


def model() -> SpikingModel:
    return replace(small.artifact(), policy=ThresholdPolicy("confidence", (0.8, 0.7, 0.75, 0.6))).model()


def seen(data: Dataset = DATA, batch_size: int = 20) -> Seen:
    with torch.no_grad():
        return run_once(small.ann_program(), small.ann_program(), model(), data, batch_size, silent)


def test_one_pass_shows_what_separate_runs_show() -> None:
    found = seen()
    with torch.no_grad():
        run, counts = run_counted(model(), [IMAGES], lambda count: None)
        trace = run_early_exit(model(), IMAGES, 70)
        logits = run_ann(small.ann_program(), DATA, 70)
    assert torch.equal(found.ann_logits, logits)
    assert torch.equal(found.run.predictions, run.predictions) and torch.equal(found.run.scores, run.scores)
    assert torch.equal(found.counts.accumulates, counts.accumulates)
    assert torch.equal(found.trace.exit_step, trace.exit_step) and torch.equal(found.trace.logits, trace.logits)
    assert found.trace.average_timesteps < 8


def test_the_table_of_layers_is_that_of_a_draw_by_class_whatever_the_batches() -> None:
    few = next(DATA.take(64).batches(64))[0]
    with torch.no_grad():
        assert seen().layers == layer_rows(small.ann_program(), model(), few)


def test_the_table_of_layers_is_about_few_images_if_their_state_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_pass, "LAYER_STATE", 20 * numbers_in_a_row(model().program))
    few = next(DATA.take(20).batches(20))[0]
    with torch.no_grad():
        assert seen().layers == layer_rows(small.ann_program(), model(), few)
    monkeypatch.setattr(one_pass, "LAYER_STATE", 1)
    with torch.no_grad():
        assert seen().layers == layer_rows(small.ann_program(), model(), next(DATA.take(8).batches(8))[0])


def test_each_image_is_read_once_but_for_one_that_warms_up(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    honest = Dataset._read_batch
    monkeypatch.setattr(Dataset, "_read_batch", lambda self, chosen: (read.extend(chosen), honest(self, chosen))[1])
    seen()
    assert sorted(read) == sorted([0, *range(70)])


@pytest.mark.parametrize(
    ("images", "batch_size", "rows", "timed"), [(70, 64, 17, 17), (100, 16, 16, 16), (40, 9, 9, 9)]
)
def test_all_timesteps_are_timed_on_a_tenth_of_the_images_or_one_batch(
    images: int, batch_size: int, rows: int, timed: int
) -> None:
    timing = seen(small.dataset(images, seed=3), batch_size).timing
    assert (timing.images, timing.other_images, timing.batch_size) == (timed, images, rows)


def test_no_more_batches_are_timed_once_they_took_long(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small.dataset(320, seed=3)
    assert seen(data, 16).timing.images == 32
    monkeypatch.setattr(one_pass, "TIMED_SECONDS", 0.0)
    assert seen(data, 16).timing.images == 16


def test_the_parts_are_timed_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands still but for the ANN (1 s a batch), all timesteps (8 s) and early exit (6 s in all)."""
    clock = [0.0]
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: clock[0])
    for name, seconds in (("logits_of", 1.0), ("collect_readouts", 8.0), ("run_early_exit", 6.0)):

        def slow(*args: Any, honest: Any = getattr(one_pass, name), seconds: float = seconds, **options: Any) -> Any:
            result = honest(*args, **options)
            clock[0] += seconds
            return result

        monkeypatch.setattr(one_pass, name, slow)
    times = seen(batch_size=14).milliseconds  # five batches, one of which is timed
    assert vars(times) == pytest.approx({"ann": 5000 / 70, "all_timesteps": 8000 / 14, "early_exit": 6000 / 70})


def test_an_image_that_is_not_finite_is_named_by_its_number() -> None:
    pixels, labels = small.draw(40, 1)
    pixels[33, 0, 0, 0] = torch.nan
    with pytest.raises(InputError, match="image 33 holds NaN"):
        seen(small.as_dataset(pixels, labels))
