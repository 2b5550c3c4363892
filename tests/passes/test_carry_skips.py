"""Skip connections that carry graded values: what is split, what is left alone, and what it does to the error."""

import harness
import pytest
import torch
import toys
from torch import nn

from seenn_convert.calibration.output_error import prefix_errors
from seenn_convert.ir.operators import ClippedReLU, GradedReLU
from seenn_convert.ir.operators.step import RectifiedDifference
from seenn_convert.ir.program import format_program
from seenn_convert.neurons.types import Signed
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.carry_skips import CarrySkips
from seenn_convert.passes.sequence import spiking_passes


def residual(act: type[nn.Module] = nn.ReLU, blocks: int = 1) -> nn.Module:
    def body(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = m.act(m.stem(x))
        for conv in m.convs:
            x = m.act(conv(x) + x)
        return m.head(x.flatten(1))

    convs = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(blocks))
    return toys.toy(body, stem=toys.conv(), act=act(), convs=convs, head=nn.Linear(256, 5))


def graded(program: object) -> list[str]:
    return [node.name for node, module in program.calls() if isinstance(module, GradedReLU)]


def test_carry_skips(golden) -> None:
    golden.check("carry_skips.txt", format_program(harness.check_pass(CarrySkips(), residual())))


def test_the_copy_is_clipped_where_the_activation_is() -> None:
    program = harness.check_pass(CarrySkips(), harness.ann_program(residual(nn.ReLU6)))
    (copy,) = [module for _, module in program.calls() if isinstance(module, GradedReLU)]

    assert copy.maximum == 6.0 and any(isinstance(module, ClippedReLU) for _, module in program.calls())


def test_taking_back_gives_the_program_of_before() -> None:
    before = harness.ann_program(residual(blocks=2))
    there = CarrySkips()(before)
    back = harness.check_pass(CarrySkips(graded=False), there)

    assert len(graded(there)) == 2 and not graded(back)
    assert format_program(back) == format_program(before)


def test_a_copy_goes_back_to_the_activation_that_it_is_a_copy_of() -> None:
    """Two activations read the same value here, and only the second has a skip connection."""

    def body(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = 20 * m.stem(x)
        plain, clipped = torch.relu(x), torch.nn.functional.relu6(x)
        return m.head(torch.relu(m.one(plain) + m.two(clipped) + clipped).flatten(1))

    model = toys.toy(body, stem=toys.conv(), one=nn.Conv2d(4, 4, 1), two=nn.Conv2d(4, 4, 1), head=nn.Linear(256, 5))
    before = harness.ann_program(model)
    there = harness.check_pass(CarrySkips(), before)
    back = harness.check_pass(CarrySkips(graded=False), there)

    assert len(graded(there)) == 1
    assert format_program(back) == format_program(before)


def test_a_copy_of_nothing_stays() -> None:
    there = CarrySkips()(harness.ann_program(residual()))
    (copy,) = [module for _, module in there.calls() if isinstance(module, GradedReLU)]
    copy.maximum = 6.0
    back = harness.check_pass(CarrySkips(graded=False), there)

    assert len(graded(back)) == 1 and "no activation" in back.history[-1].declined[0][1]


@pytest.mark.parametrize(
    "body",
    [
        lambda m, x: m.head(m.act(m.conv(x)).flatten(1)),  # no skip connection
        lambda m, x: m.head((m.act(m.conv(x)) + m.act(m.other(x))).flatten(1)),  # weights behind the sum
        lambda m, x: m.head(m.act(m.act(m.conv(x)) + m.other(x)).flatten(1)),  # no weights read the inner activation
        lambda m, x: m.head(m.act(m.third(y := m.act(m.conv(x))) + m.fourth(y)).flatten(1)),  # weights on both ways
        lambda m, x: m.head(
            m.act(m.third(y := m.act(m.conv(x))) + y * torch.full((4, 1, 1), 0.5)).flatten(1)
        ),  # a scaled skip
        lambda m, x: m.head(torch.nn.functional.silu(m.third(y := m.act(m.conv(x))) + y).flatten(1)),  # no neuron after
    ],
)
def test_what_is_no_skip_connection_is_left_alone(body) -> None:
    model = toys.toy(body, conv=toys.conv(), other=toys.conv(), third=nn.Conv2d(4, 4, 1), fourth=nn.Conv2d(4, 4, 1),
                     act=nn.ReLU(), head=nn.Linear(256, 5))  # fmt: skip
    assert not graded(harness.check_pass(CarrySkips(), harness.ann_program(model)))


def test_a_view_on_the_way_is_no_obstacle() -> None:
    def body(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = m.act(m.stem(x))
        return m.head(m.act(m.conv(x) + torch.nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))).flatten(1))

    model = toys.toy(body, stem=toys.conv(), act=nn.ReLU(), conv=nn.Conv2d(4, 8, 3, stride=2, padding=1),
                     head=nn.Linear(128, 5))  # fmt: skip
    assert len(graded(harness.check_pass(CarrySkips(), harness.ann_program(model)))) == 1


def test_in_the_step_the_copy_is_a_temporal_difference_and_the_error_falls() -> None:
    torch.manual_seed(0)
    plain = harness.ann_program(residual(blocks=6))
    images = harness.images(plain, 16)
    thresholds = harness.largest_activations(plain, images)
    errors = {}
    for name, ann in (("spiking", plain), ("graded", CarrySkips()(plain))):
        snn = run_passes(ann, spiking_passes(ann, thresholds, Signed()))
        errors[name] = prefix_errors(snn, images, plain(images), (4, 16))
    differences = [m for _, m in snn.calls() if isinstance(m, RectifiedDifference)]

    assert len(differences) == 5  # the first copy is the same at every timestep: the stem's
    assert all(
        with_copy < 0.8 * without for with_copy, without in zip(errors["graded"], errors["spiking"], strict=True)
    )
