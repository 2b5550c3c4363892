"""A search stays within its budget, tries the setting given, and keeps the one preferred."""

from dataclasses import replace

import pytest
import small_artifacts as small
from trials import trial

from seenn_convert.choices import VARIED_NAMES, Prefer, Varied
from seenn_convert.errors import InputError
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.explore.budget import Budget
from seenn_convert.workflows.explore.search import LOOK_IMAGES, NO_TIME, Attempt, Found, Search
from seenn_convert.workflows.explore.settings import command_line, rounds, settings

BASE, IMAGES = Options(), 1000
SECONDS = {"fast": 1e-3, "balanced": 3e-3}
"""What an image and timestep of each preset takes in this world."""


class World:
    """Settings whose conversion takes known time; multi-level neurons need fewer timesteps, ``refused`` do not work."""

    def __init__(self, seconds: float, refused: tuple[str, ...] = ()) -> None:
        self.now, self.refused = 100.0, refused
        self.started: list[tuple[Options, bool, float]] = []
        self.budget = Budget(seconds, lambda: self.now)

    def attempt(self, options: Options, few: bool) -> Attempt:
        self.started.append((options, few, self.now - 100.0))
        if options.neuron in self.refused:
            raise InputError(f"no {options.neuron} neurons here; take others")
        self.now += SECONDS[options.calibration] * (LOOK_IMAGES if few else IMAGES) * (options.timesteps + 2)
        wide = options.neuron == "multilevel"
        drop = (0.4 if wide else 4.0 / options.timesteps) - 0.1 * (options.calibration == "balanced")
        steps = options.timesteps / (3 if wide else 2)
        images = 38 if few else 400
        found = trial(command_line(options), expected_drop=drop, average_timesteps=steps, images=images,
                      calibration=options.calibration)  # fmt: skip
        return Attempt(options, found, small.artifact())

    def search(self, base: Options = BASE, prefer: Prefer = "steps", vary: tuple[Varied, ...] = VARIED_NAMES) -> Found:
        search = Search(self.attempt, self.budget, IMAGES, base, prefer)
        return search.run(settings(base, vary), rounds(base, vary))


@pytest.mark.parametrize("seconds", [1.0, 8.0, 20.0, 60.0, 200.0, 1e4])
def test_no_trial_is_started_that_would_not_fit(seconds: float) -> None:
    """All but the first, whose cost nobody knows; the setting given is converted if there is time for no other."""
    world = World(seconds)
    found = world.search()
    ends = [start for _, _, start in world.started[1:]] + [world.now - 100.0]
    full = [(options, end) for (options, few, _), end in zip(world.started, ends, strict=True) if not few]
    if full[0][0] == BASE and len(full) == 1:
        assert found.best.options == BASE
    else:
        assert all(end <= seconds for end in ends[1:])
    assert all("were left" in why or why == NO_TIME for why in found.left_out.values())


def test_too_little_time_converts_the_setting_given() -> None:
    world = World(seconds=1e-3)
    found = world.search()
    assert found.best.options == BASE
    assert [one.options for one in found.trials] == [command_line(BASE)]


def test_if_nothing_reaches_the_target_the_setting_given_is_converted_whatever_it_takes() -> None:
    """Binary neurons miss it at every T that fits, and the setting given, which reaches it, would not fit."""
    base = Options(neuron="if", timesteps=64)
    world = World(seconds=32.0)
    found = world.search(base, vary=("timesteps",))
    assert [one.reached for one in found.trials] == [False, True] and world.now - 100.0 > 32.0
    assert found.best.options == base and found.best.trial.reached
    assert command_line(base) not in found.left_out


def test_with_time_the_setting_given_is_tried_and_the_preferred_one_kept() -> None:
    found = World(1e6).search()
    assert command_line(BASE) in [one.options for one in found.trials]
    assert found.best.options == replace(BASE, neuron="multilevel", timesteps=4)  # as few timesteps, the least loss
    assert found.left_out == {}
    careful = World(1e6).search(prefer="accuracy")
    assert careful.best.trial.expected_drop == min(one.expected_drop for one in careful.trials)


def test_half_of_the_settings_go_on_from_the_first_look() -> None:
    found = World(1e6).search()
    assert len(found.looked_at) == 6
    first = [one for one in found.trials if one.options.endswith("--calibration fast")]
    assert len(first) in (3, 4)  # the setting given may be one of the half


def test_what_is_fixed_is_never_tried_otherwise() -> None:
    base = Options(neuron="if", calibration="balanced")
    world = World(1e6)
    found = world.search(base, vary=("timesteps",))
    assert {options.neuron for options, _, _ in world.started} == {"if"}
    assert {one.calibration for one in found.trials} == {"balanced"}


def test_a_setting_that_cannot_be_converted_is_told_and_the_others_go_on() -> None:
    found = World(1e6, refused=("multilevel",)).search()
    assert found.best.options.neuron == "signed"
    assert found.left_out["--neuron multilevel -T 4 --calibration fast"] == "no multilevel neurons here; take others"


def test_if_nothing_can_be_converted_the_reason_of_the_setting_given_is_raised() -> None:
    with pytest.raises(InputError, match="no signed neurons here"):
        World(1e6, refused=("signed", "multilevel", "if")).search()


def test_costs_are_expected_from_those_that_are_most_alike() -> None:
    """A rate is seconds per image and timestep, and two runs of the ANN; other presets cost what was said of them."""
    budget = Budget(60.0, lambda: 0.0)
    fast = Options(timesteps=8, calibration="fast")
    balanced, binary = replace(fast, calibration="balanced"), replace(fast, neuron="if")
    assert budget.expected(fast, 100) == 0.0
    budget.note(fast, 100, 100.0)
    assert budget.expected(fast, 100) == pytest.approx(100.0)
    budget.note(fast, 100, 10.0)  # from now on the first one does not count
    assert budget.expected(replace(fast, timesteps=18), 200) == pytest.approx(40.0)
    assert budget.expected(balanced, 100) == pytest.approx(30.0)
    budget.note(balanced, 100, 20.0)
    assert budget.expected(replace(balanced, neuron="if"), 100) == pytest.approx(20.0)
    budget.note(binary, 100, 12.0)
    assert budget.expected(binary, 100) == pytest.approx(12.0)
    budget.note(binary, 1000, 50.0)
    assert budget.expected(fast, 1000) == pytest.approx(50.0)  # so many images tell more than the type of neuron


def test_progress_counts_the_trials_and_ends_at_their_number() -> None:
    told: list[tuple[str, int, int]] = []
    world = World(1e6)
    search = Search(world.attempt, world.budget, IMAGES, BASE, "steps", lambda *what: told.append(what))
    found = search.run(settings(BASE, VARIED_NAMES), rounds(BASE, VARIED_NAMES))
    trials = len(found.trials) + len(found.looked_at)
    assert told[-1] == ("trying settings", trials, trials) and trials == len(world.started)
