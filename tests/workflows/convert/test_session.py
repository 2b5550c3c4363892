"""What every stage reads: draws depend on the seed alone, and the horizon follows the target."""

import small_artifacts as small
import torch

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import split_calibration
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.session import BIAS_TIMESTEPS, Session


def session(options: Options) -> Session:
    return Session(small.ann_program(), small.dataset(), split_calibration(96, 0), options)


def test_positions_are_drawn_by_the_seed_and_repeated_if_need_be() -> None:
    one = session(Options(seed=4))
    drawn = one.drawn([3, 5, 9], 7)
    assert drawn == session(Options(seed=4, batch_size=3)).drawn([3, 5, 9], 7)
    assert sorted(drawn[:3]) == sorted(drawn[3:6]) == [3, 5, 9] and drawn[6] == drawn[0]
    assert session(Options(seed=5)).drawn(range(50), 50) != one.drawn(range(50), 50)


def test_the_run_has_to_be_good_up_to_twice_the_average_that_is_aimed_at() -> None:
    assert session(Options(16, target=ExitTarget(timesteps=2.6))).horizon == 6
    assert session(Options(4, target=ExitTarget(timesteps=2.6))).horizon == 4
    assert session(Options(16, target=ExitTarget(drop=0.5))).horizon == 16


def test_long_runs_are_compared_without_the_biases_that_they_end_without() -> None:
    assert session(Options()).compared_with(BIAS_TIMESTEPS) == "timestep"
    assert session(Options()).compared_with(BIAS_TIMESTEPS + 1) is None
    assert session(Options(correction="bias")).compared_with(BIAS_TIMESTEPS + 1) == "bias"
    assert session(Options(correction="none")).compared_with(4) is None


def test_images_are_counted_and_in_the_type_of_the_ann() -> None:
    told: list[tuple[str, int, int]] = []
    one = Session(small.ann_program(), small.dataset(), split_calibration(96, 0), Options(), lambda *w: told.append(w))
    batches = list(one.images("correcting means", 3, [0, 1, 2, 3]))
    assert [len(batch) for batch in batches] == [3, 1] and batches[0].dtype is torch.float32
    assert told == [("correcting means", done, 4) for done in (0, 3, 4)]


def test_work_decides_how_many_images_are_taken_within_bounds() -> None:
    """As many as the multiply-accumulates of all their timesteps allow, each once, however many there are."""
    one = session(Options(timesteps=4))
    an_image = 4 * sum(site.macs for site in call_sites(one.ann))
    among = range(10, 60)
    found = one.some(among, 7.5 * an_image, (2, 20))
    assert len(set(found)) == 7 and set(found) <= set(among)
    assert len(one.some(among, 14.5 * an_image, (2, 20), timesteps=8)) == 7
    assert [len(one.some(among, work, (2, 20))) for work in (0, 1e30)] == [2, 20]
    assert sorted(one.some(among, 1e30, (2, 100))) == list(among)
