"""The analog front in a conversion: asked for by number, searched for within a budget, and undone again."""

from dataclasses import replace

import pytest
import small_artifacts as small
import torch
from torch import nn

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.analysis.front import Cut, front_names
from seenn_convert.artifact.artifact import Artifact, load_artifact
from seenn_convert.artifact.schema.front import FrontTrial
from seenn_convert.errors import InputError
from seenn_convert.exits import step_time
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.runtime.policies import exit_steps
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.convert.options import Options, options_from_json
from seenn_convert.workflows.convert.run import convert, recalibrate
from seenn_convert.workflows.convert.stages.front_trials import Trial, best_of

IMAGES = small.draw(40, 9)[0]


def deep() -> nn.Module:
    """Four convolutions in a row: cuts behind each of the first three activations."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU()]
    for _ in range(3):
        layers += [nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 3)).eval()


def converted(model: nn.Module, **options: object) -> Artifact:
    return convert(model, small.dataset(), Options(**{"timesteps": 4, "calibration": "fast", **options}))


def in_stem(artifact: Artifact) -> float:
    return sum(site.share for site in call_sites(artifact.ann) if site.treatment == "stem")


def test_a_number_is_taken_as_it_is() -> None:
    artifact = converted(deep(), front=2, front_budget=0.0)
    front = artifact.report.conversion.front

    assert front.names == front_names(artifact.ann) and len(front.names) == 2
    assert front.share == pytest.approx(in_stem(artifact)) and not front.tried
    assert len(artifact.model().layers) == 2


@pytest.mark.parametrize(("front", "possible"), [(4, "0, 1, 2, 3"), (9, "0, 1, 2, 3")])
def test_a_number_that_leaves_nothing_to_spike_names_those_that_do(front: int, possible: str) -> None:
    with pytest.raises(InputError, match=f"front of {front} activations .* possible are {possible}"):
        converted(deep(), front=front)


def test_a_number_inside_a_block_names_those_between_blocks() -> None:
    """The paths of two branches that start at the image meet in the last layer alone."""

    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.head = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 2, 1), nn.Linear(256, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.cat([self.one(x).relu(), self.two(x).relu()], 1).flatten(1))

    with pytest.raises(InputError, match=r"front of 1 activations .* possible are 0 "):
        converted(Branches().eval(), front=1)
    off = converted(Branches().eval(), front="auto").report.conversion.front.off
    assert "no single value with activations before and behind it" in off


@pytest.mark.parametrize("budget", [0.3, 0.6])
def test_the_search_stays_within_its_budget(budget: float) -> None:
    """The four convolutions have 2304, 3 x 9216 and the head 768 of 30720 multiply-accumulates: 7.5, 37.5, 67.5 %."""
    front = converted(deep(), front="auto", front_budget=budget).report.conversion.front

    assert [one.activations for one in front.tried] == ([] if budget < 0.37 else [0, 1])
    assert all(one.share <= budget for one in front.tried) and front.share <= budget
    assert bool(front.off) == (not front.tried)
    assert all(len(one.drop_at) == 4 and one.nanojoule_per_image > 0 for one in front.tried)


def test_required_spikes_turn_the_search_off_and_count_for_a_number() -> None:
    front = converted(deep(), front="auto", front_budget=1.0, require_spiking=0.5).report.conversion.front
    assert "--require-spiking" in front.off and not front.names

    with pytest.raises(InputError, match=r"spikes would drive.* or give up the analog front with --front none"):
        converted(deep(), front=3, require_spiking=0.5)


def test_calibrating_again_still_requires_the_spikes() -> None:
    """Else the search would come on, and leave the layers behind the front to graded values."""
    artifact = converted(deep(), front="auto", front_budget=1.0, require_spiking=0.5)
    again = recalibrate(artifact, small.dataset())

    assert "--require-spiking" in again.report.conversion.front.off and not front_names(again.ann)
    with pytest.raises(InputError, match="spikes would drive"):
        recalibrate(artifact, small.dataset(), replace(options_from_json(artifact.provenance.options), front=3))


def test_early_exit_is_hindsight_and_loading_gives_the_same_bits(tmp_path) -> None:
    artifact = converted(small.source(), front=1)
    artifact.save(tmp_path / "artifact")
    loaded = load_artifact(tmp_path / "artifact")
    model = loaded.model()
    readouts = collect_readouts(artifact.model(), [IMAGES], keep_logits=True)
    trace = model(IMAGES)
    steps = exit_steps(artifact.policy, readouts.scores)

    assert torch.equal(trace.exit_step, steps)
    assert torch.equal(trace.predictions, readouts.answers(steps))
    assert torch.equal(collect_readouts(model, [IMAGES], keep_logits=True).logits, readouts.logits)
    assert front_names(loaded.ann) == front_names(artifact.ann) != ()
    assert loaded.report.conversion.front == artifact.report.conversion.front


def test_a_front_can_be_taken_back_and_put_in_when_calibrating_again() -> None:
    """Both ways the network is that of a fresh conversion, bit by bit; skip connections carry what they carry there."""
    with_, without = (converted(small.source(), front=front) for front in (1, 0))
    options = options_from_json(with_.provenance.options)
    assert options.front == 1

    for there, front, fresh in ((with_, 0, without), (without, 1, with_)):
        again = recalibrate(there, small.dataset(), replace(options, front=front))
        assert front_names(again.ann) == front_names(fresh.ann)
        logits = [collect_readouts(one.model(), [IMAGES], keep_logits=True).logits for one in (again, fresh)]
        assert torch.equal(*logits)


def test_an_artifact_that_says_nothing_of_a_front_has_none() -> None:
    data = {name: value for name, value in Options().to_json().items() if not name.startswith("front")}
    assert Options().front == "auto" and options_from_json(data).front == "none"


def trial(
    activations: int, distance_at: tuple[float, ...], average: float = 3.0, timesteps: float | None = None
) -> Trial:
    facts = FrontTrial(activations=activations, share=activations / 10, drop_at=(0.0,) * len(distance_at),
                       distance_at=distance_at, average_timesteps=average, expected_drop=0.0, reached=True,
                       nanojoule_per_image=1.0)  # fmt: skip
    return Trial(Cut(("relu",) * activations, activations / 10), facts, timesteps)


def test_for_a_drop_the_front_that_is_as_near_the_ann_the_earliest_wins() -> None:
    """Without a front the logits are 0.3 away at the average of three timesteps."""
    none, small_, large = trial(0, (0.9, 0.6, 0.3)), trial(1, (0.8, 0.3, 0.2)), trial(2, (0.7, 0.29, 0.1))

    assert best_of([none, small_, large]) is small_  # the larger one saves less than its price on top
    assert best_of([none, large]) is large
    assert best_of([none, trial(1, (0.9, 0.6, 0.29))]) is none


def test_for_timesteps_the_front_that_is_the_nearest_then_wins() -> None:
    pair = [trial(0, (0.9, 0.6, 0.3), timesteps=1.5), trial(1, (0.8, 0.3, 0.3), timesteps=1.5)]
    assert best_of(pair) is pair[1]
    assert best_of([replace(one, timesteps=3.0) for one in pair]).cut.activations == 0


@pytest.mark.parametrize("target", [ExitTarget(timesteps=2), ExitTarget(milliseconds=1000), ExitTarget(drop=0.5)])
def test_every_kind_of_target_can_be_searched_for(target: ExitTarget) -> None:
    front = converted(deep(), front="auto", front_budget=0.7, target=target).report.conversion.front
    assert [one.activations for one in front.tried] == [0, 1, 2]


def test_a_front_that_is_too_slow_for_the_time_asked_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each layer of neurons takes a second of a step; without a front there are four, with one of two a slow stem."""

    def seconds(model: SpikingModel, images: torch.Tensor) -> tuple[float, float]:
        return len(images) * {4: 3.0, 3: 2.0, 2: 90.0}[len(model.layers)], len(images) * float(len(model.layers))

    monkeypatch.setattr(step_time, "_medians", seconds)
    options = {"front": "auto", "front_budget": 0.7}
    front = converted(deep(), target=ExitTarget(milliseconds=6000), **options).report.conversion.front

    assert [one.activations for one in front.tried] == [1] and len(front.names) == 1
    with pytest.raises(InputError, match=r"out of reach: the stem \(2e\+03 ms\) and one timestep \(3e\+03 ms\)"):
        converted(deep(), target=ExitTarget(milliseconds=4000), **options)


def test_a_network_of_quantised_activations_can_be_searched() -> None:
    """Those in the front keep their levels, and no threshold is asked of them."""

    class Levels(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.floor(torch.clamp(x / 0.5, 0, 1) * 4 + 0.5) / 4 * 0.5

    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), Levels(), nn.Linear(4, 16), Levels(), nn.Linear(16, 3)).eval()
    front = converted(model, front="auto", front_budget=1.0).report.conversion.front

    assert [one.activations for one in front.tried] == [0, 1]


def test_activations_that_are_graded_anyway_are_numbered_and_not_tried() -> None:
    """The second is in front of a depthwise convolution, which the stem takes with the first: they keep the same out."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=4), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Conv2d(4, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)).eval()
    artifact = converted(model, front="auto", front_budget=1.0, timesteps=2)
    front = artifact.report.conversion.front

    assert front.possible == (0, 1, 2, 3)
    assert [one.activations for one in front.tried] == [0, 1, 3]
    assert converted(model, front=2, timesteps=2).report.conversion.front.names == ("layer_1", "layer_3")
