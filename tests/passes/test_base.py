"""What every pass shares: it checks what it gets, leaves its input alone, and is held to its law."""

import copy

import harness
import pytest
import torch
import toys
from torch import nn

from seenn_convert.errors import PostconditionError, PreconditionError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.interpreter import relative_error
from seenn_convert.ir.operators import Affine
from seenn_convert.ir.program import Program, Stage
from seenn_convert.passes.base import Pass, channel_scale, check_same, in_double, run_passes
from seenn_convert.passes.sequence import ANN_PASSES


class DropActivations(Pass):
    """A broken pass: it removes every ReLU."""

    def rewrite(self, draft: Draft) -> None:
        for node, _ in draft.modules_of(nn.ReLU):
            draft.bypass(node)


class SpoilHead(Pass):
    """A broken pass that denies what it does: the head gets other weights, nothing is recorded."""

    def rewrite(self, draft: Draft) -> None:
        draft.graph_module.add_module("head", nn.Linear(4, 5))


class SpoilSecond(Pass):
    """A broken pass: the second convolution gets other weights."""

    def rewrite(self, draft: Draft) -> None:
        draft.graph_module.add_module("second", toys.conv(4))


class Narrow(Pass):
    """A pass with conditions of its own."""

    def requires(self, program: Program) -> None:
        if len(list(program.calls())) > 3:
            raise PreconditionError("Narrow takes at most three calls")

    def rewrite(self, draft: Draft) -> None:
        draft.decline(next(iter(draft.graph.nodes)), "nothing to do")

    def ensures(self, program: Program) -> None:
        if program.input_shape == (7,):
            raise PostconditionError("Narrow does not like sevens")


@pytest.mark.parametrize("make", toys.ALL)
def test_every_ann_pass_keeps_its_law_on_every_toy(make) -> None:
    """Same outputs, input untouched, a second run changes nothing."""
    program = harness.program_of(make)
    for one in ANN_PASSES:
        program = harness.check_pass(one, program)


def test_a_pass_is_named_after_its_class() -> None:
    assert Narrow().name == "Narrow"


def test_a_program_of_another_stage_is_refused() -> None:
    snn = harness.spiking_program(harness.program_of(toys.perceptron))

    with pytest.raises(PreconditionError, match="DropActivations takes a program of stage ann, not snn"):
        DropActivations()(snn)


def test_conditions_are_checked_before_and_after() -> None:
    with pytest.raises(PreconditionError, match="at most three"):
        Narrow()(harness.program_of(toys.residual))
    two_calls = harness.program_of(toys.relu_on_image)
    assert Narrow()(two_calls).history[-1].declined == (("image", "nothing to do"),)

    program = harness.program_of(toys.perceptron)
    short = DropActivations()(program)
    for name in ("bn", "drop"):
        draft = Draft(short)
        draft.bypass(next(node for node in draft.graph.nodes if node.name == name))
        short = draft.finish("Test")
    with pytest.raises(PostconditionError, match="does not like sevens"):
        Narrow()(short)


def test_a_pass_that_changes_the_numbers_is_caught() -> None:
    """The error names the pass, the size of the error and the first node that differs."""
    program = harness.program_of(toys.conv_bn_relu)

    with pytest.raises(PostconditionError, match=r"DropActivations changed .*the first node that differs is mean") as caught:
        run_passes(program, [DropActivations()], harness.images(program))
    assert "ann (3, 8, 8)" in str(caught.value)


def test_a_masked_class_hides_no_pass_that_changes_the_numbers() -> None:
    def body(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return m.head(torch.relu(m.conv(x)).mean((2, 3))).masked_fill(torch.arange(5) == 3, -1e9)

    program = harness.as_program(toys.toy(body, conv=toys.conv(), head=nn.Linear(4, 5)))
    with pytest.raises(PostconditionError, match="DropActivations changed"):
        run_passes(program, [DropActivations()], harness.images(program))


def test_the_first_difference_has_its_source_line() -> None:
    program = harness.program_of(toys.conv_bn_relu)

    with pytest.raises(PostconditionError, match=r"SpoilHead .*differs is head \(head \(toys.py:\d+\)\)"):
        run_passes(program, [SpoilHead()], harness.images(program))


def test_without_an_image_nothing_is_checked() -> None:
    assert run_passes(harness.program_of(toys.conv_bn_relu), [DropActivations()]).stage is Stage.ANN


def test_results_that_are_not_numbers_are_a_difference() -> None:
    program = harness.program_of(toys.conv_bn_relu)
    draft = Draft(program)
    nothing = torch.tensor(float("nan"))
    node = next(node for node in draft.graph.nodes if node.name == "relu")
    draft.replace_module(node, Affine(nothing, nothing))

    with pytest.raises(PostconditionError, match="changed the outputs by nan"):
        check_same(program, draft.finish("Spoil"), harness.images(program))


def test_rounding_that_a_network_amplifies_is_judged_in_double_precision() -> None:
    """A sum of large terms that cancel: other last bits in single precision, the same numbers in double."""

    torch.manual_seed(0)
    before = harness.as_program(toys.toy(lambda m, x: (x.mean((2, 3)) * 3 + 1e4) - 1e4))
    after = harness.as_program(toys.toy(lambda m, x: x.mean((2, 3)) * 3))
    image = harness.images(before)

    assert relative_error(after(image), before(image)) > 1e-5
    check_same(before, after, image)


class Scale(Pass):
    """Scale the first convolution, and all of it back behind: exact but for the rounding of the scaled weights."""

    def __init__(self, factor: float, back: float) -> None:
        self.factor, self.back = factor, back

    def rewrite(self, draft: Draft) -> None:
        node, conv = next(iter(draft.modules_of(nn.Conv2d)))
        scaled = copy.deepcopy(conv)
        with torch.no_grad():
            scaled.weight.mul_(self.factor)
            scaled.bias.mul_(self.factor)
        draft.replace_module(node, scaled)
        like = torch.ones((), dtype=draft.program.input_dtype)
        back = draft.insert_after(node, "back", Affine(like * self.back, like * 0), [node])
        node.replace_all_uses_with(back, lambda user: user is not back)


def test_the_rounding_of_rewritten_weights_is_not_held_against_a_pass() -> None:
    """Weights that cancel: rounding them again moves the outputs; in double precision the same pass is exact."""
    torch.manual_seed(0)
    net = toys.toy(lambda m, x: m.conv(x).mean((2, 3)) - 1000.3, conv=nn.Conv2d(3, 4, 3))
    net.conv.bias.data.fill_(1000.3)
    before = harness.as_program(net)
    image = harness.images(before)
    one = Scale(3.7, 1 / 3.7)
    assert relative_error(one(before)(image), before(image)) > 1e-5
    run_passes(before, [one], image)
    with pytest.raises(PostconditionError, match="Scale changed the outputs"):
        run_passes(before, [Scale(3.7, 1 / 3.6)], image)


class Overflow(Pass):
    """Scale the first convolution's output up and down again, further than single precision reaches."""

    def rewrite(self, draft: Draft) -> None:
        node, _ = next(iter(draft.modules_of(nn.Conv2d)))
        like = torch.ones((), dtype=draft.program.input_dtype)
        for factor in (1e-30, 1e-30, 1e30, 1e30):  # each goes in front of the one before
            scaled = draft.insert_after(node, "scaled", Affine(like * factor, like * 0), [node])
            node.replace_all_uses_with(scaled, lambda user, scaled=scaled: user is not scaled)


def test_a_pass_that_is_exact_in_double_precision_alone_is_refused() -> None:
    before = harness.as_program(toys.toy(lambda m, x: m.conv(x).mean((2, 3)), conv=nn.Conv2d(3, 4, 3)))
    with pytest.raises(PostconditionError, match="Overflow changed the outputs"):
        run_passes(before, [Overflow()], harness.images(before))


@pytest.mark.parametrize("narrow", [torch.float16, torch.bfloat16])
def test_double_precision_behind_numbers_of_another_type(narrow: torch.dtype) -> None:
    """A cast back to the network's own type gives double precision there; the narrow numbers stay as they are."""

    def body(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return m.second(torch.relu(m.first(x)).to(narrow).to(x.dtype)).flatten(1)

    model = toys.toy(body, first=toys.conv(), second=toys.conv(4))
    program, images = harness.as_program(model), harness.images(harness.as_program(model))
    expected = model.double()(images.double())
    found = in_double(program)(images.double())
    assert found.dtype is torch.float64 and relative_error(found, expected) < 1e-12
    with pytest.raises(PostconditionError, match="SpoilSecond changed"):
        run_passes(program, [SpoilSecond()], images)


def test_relative_error_is_a_share_of_the_largest_expected_magnitude() -> None:
    assert relative_error(torch.tensor([1.0, 10.1]), torch.tensor([1.0, 10.0])) == pytest.approx(0.01, rel=1e-5)
    assert relative_error(torch.zeros(3), torch.zeros(3)) == 0.0
    assert relative_error(torch.zeros(2, 1), torch.zeros(2)) == float("inf")


@pytest.mark.parametrize("layer", [nn.Linear(3, 2), nn.Conv1d(3, 2, 5), nn.Conv2d(3, 2, 5)])
def test_channel_scale_scales_output_channels(layer: nn.Module) -> None:
    scaled = layer.weight * channel_scale(torch.tensor([2.0, 5.0]), layer)

    assert torch.equal(scaled[0], 2 * layer.weight[0]) and torch.equal(scaled[1], 5 * layer.weight[1])
