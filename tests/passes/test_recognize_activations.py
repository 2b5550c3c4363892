"""Activations written as several operators are found, whatever the spelling; anything else stays as it is."""

from collections.abc import Callable

import harness
import pytest
import torch
import toys
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.ir.operators import Affine, AtenOperator, ClippedReLU, Elementwise, QuantisedReLU
from seenn_convert.ir.program import Program
from seenn_convert.passes.base import in_double
from seenn_convert.passes.recognize_activations import RecognizeActivations

A = torch.tensor(1.5)
CHANNELS = torch.tensor([1.5, 0.7, 1.0, 2.0]).reshape(1, 4, 1, 1)


def straight_through(x: Tensor) -> Tensor:
    return x + (x.round() - x).detach()


QUANTISED: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "floor of a clip": (lambda x: torch.floor(torch.clamp(x / A, 0, 1) * 4 + 0.5) / 4 * A, 4),
    "straight-through rounding": (lambda x: straight_through(torch.clamp(x / A, 0, 1) * 4) / 4 * A, 4),
    "rounded, then clipped": (lambda x: torch.clamp(straight_through(x / (A / 15)), 0, 15) * (A / 15), 15),
    "behind a ReLU": (lambda x: torch.round(torch.minimum(F.relu(x), A) / A * 7) / 7 * A, 7),
    "fake quantisation": (lambda x: torch.fake_quantize_per_tensor_affine(F.relu(x), 0.1, 0, 0, 15), 15),
    "fake quantisation from a zero point": (lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, -8, -8, 7), 15),
    "eight bits": (lambda x: torch.fake_quantize_per_tensor_affine(x, 1.5 / 255, 0, 0, 255), 255),
}
CLIPPED: dict[str, Callable[[Tensor], Tensor]] = {
    "minimum with a parameter": lambda x: torch.minimum(F.relu(x), A),
    "a choice": lambda x: torch.where(x > A, A, F.relu(x)),
    "minimum, then maximum": lambda x: torch.maximum(torch.minimum(x, A), torch.zeros(())),
    "difference of absolute values": lambda x: 0.5 * (x.abs() - (x - A).abs() + A),
}


def recognised(act: Callable[[Tensor], Tensor]) -> Program:
    model = toys.toy(lambda m, x: m.head(act(m.conv(x))).flatten(1), conv=toys.conv(), head=nn.Conv2d(4, 2, 3))
    return harness.check_pass(RecognizeActivations(), in_double(harness.as_program(model)))


def between(program: Program) -> list[nn.Module]:
    """Return what lies between the two convolutions."""
    return [module for _, module in program.calls()][1:-2]


@pytest.mark.parametrize("name", QUANTISED)
def test_a_quantised_activation_has_its_threshold_and_levels(name: str) -> None:
    act, levels = QUANTISED[name]
    (found,) = between(recognised(act))

    assert isinstance(found, QuantisedReLU) and found.levels == levels
    assert found.maximum == pytest.approx(1.5, rel=1e-6)


@pytest.mark.parametrize("name", CLIPPED)
def test_a_clipped_activation_has_its_maximum(name: str) -> None:
    (found,) = between(recognised(CLIPPED[name]))
    assert type(found) is ClippedReLU and found.maximum == pytest.approx(1.5, rel=1e-6)


@pytest.mark.parametrize(
    "act", [lambda x: (x + x.abs()) / 2, lambda x: x * (x > 0), lambda x: torch.where(x > 0, x, torch.zeros(()))]
)
def test_a_relu_in_other_words(act: Callable[[Tensor], Tensor]) -> None:
    assert [type(one) for one in between(recognised(act))] == [nn.ReLU]


@pytest.mark.parametrize(
    "act",
    [
        lambda x: torch.minimum(F.relu(x), CHANNELS),
        lambda x: torch.clamp(x, torch.zeros(()), CHANNELS),
        lambda x: torch.floor(torch.clamp(x / CHANNELS, 0, 1) * 4 + 0.5) / 4 * CHANNELS,
        lambda x: torch.fake_quantize_per_channel_affine(
            x, CHANNELS.flatten() / 15, torch.zeros(4, dtype=torch.int32), 1, 0, 15
        ),
    ],
    ids=["minimum", "clamp", "floor of a clip", "fake quantisation"],
)
def test_thresholds_of_the_channels_become_scales(act: Callable[[Tensor], Tensor]) -> None:
    kinds = [type(one) for one in between(recognised(act))]
    assert len(kinds) == 3 and kinds[0] is kinds[2] is Affine and issubclass(kinds[1], ClippedReLU)


def test_rounding_down_is_shifted() -> None:
    kinds = [type(one) for one in between(recognised(lambda x: torch.floor(x.clamp(0, 1) * 4) / 4))]
    assert kinds == [Affine, QuantisedReLU]


@pytest.mark.parametrize(
    "act",
    [
        torch.round,
        lambda x: torch.floor(x.clamp(-1, 1) * 4 + 0.5) / 4,
        lambda x: torch.minimum(x, A),
        lambda x: x.clamp(0, 1) * (x * 2).round(),
        lambda x: F.relu(x) * x.abs(),
        lambda x: torch.maximum(F.relu(x), F.relu(-x) - 1),
        lambda x: F.threshold(x, 0.002, 0.0),
        lambda x: x * (x > 1e-5),
        lambda x: torch.where(F.relu(x) < 1e-3, 0.0, F.relu(x)),
    ],
)
def test_other_functions_stay(act: Callable[[Tensor], Tensor]) -> None:
    program = recognised(act)
    assert any(isinstance(module, (AtenOperator, Elementwise)) for module in between(program))
    assert not program.history[-1].changed


def test_an_image_that_is_rounded_stays_so() -> None:
    """What enters the network is no neuron's business: the stem computes it once."""
    model = toys.toy(lambda m, x: m.conv(torch.round(x.clamp(0, 1) * 255) / 255).flatten(1), conv=toys.conv())
    assert not harness.check_pass(RecognizeActivations(), model).history[-1].changed


def test_a_part_that_is_read_elsewhere_stays() -> None:
    def body(m: nn.Module, x: Tensor) -> Tensor:
        clipped = m.conv(x).clamp(0, 1)
        return (torch.round(clipped * 4) / 4 + m.head(clipped)).flatten(1)

    program = harness.check_pass(RecognizeActivations(), toys.toy(body, conv=toys.conv(), head=nn.Conv2d(4, 4, 1)))
    kinds = [type(module) for _, module in program.calls()]
    assert kinds.count(ClippedReLU) == kinds.count(QuantisedReLU) == 1


def test_constants_that_differ_between_places_are_not_asked() -> None:
    bound = torch.rand(4, 8, 8) + 0.5
    assert not recognised(lambda x: torch.minimum(F.relu(x), bound)).history[-1].changed


def test_over_features_too() -> None:
    bound = torch.rand(5) + 0.5
    model = toys.toy(lambda m, x: m.head(torch.minimum(F.relu(m.first(x)), bound)), (7,), first=nn.Linear(7, 5),
                     head=nn.Linear(5, 3))  # fmt: skip
    kinds = [type(module) for _, module in harness.check_pass(RecognizeActivations(), model).calls()]
    assert kinds == [nn.Linear, Affine, ClippedReLU, Affine, nn.Linear]


def test_one_behind_another_with_a_skip_around_it() -> None:
    """What stands around one activation is walked through when the next one is looked at."""

    def act(x: Tensor) -> Tensor:
        return torch.minimum(F.relu(x), CHANNELS)

    def body(m: nn.Module, x: Tensor) -> Tensor:
        x = act(m.conv(x))
        return m.head(act(x + m.second(act(m.first(x))))).flatten(1)

    model = toys.toy(body, conv=toys.conv(), first=toys.conv(4), second=toys.conv(4), head=nn.Conv2d(4, 2, 3))
    program = harness.check_pass(RecognizeActivations(), in_double(harness.as_program(model)))
    assert [type(module) for _, module in program.calls()].count(ClippedReLU) == 3
