"""A policy head is a third graph beside stem and step, which stay as they were."""

import harness
import pytest
import torch
import toys
from torch import nn

from seenn_convert.analysis.coverage import policy_macs
from seenn_convert.errors import PostconditionError, PreconditionError
from seenn_convert.ir.operators import Reshape
from seenn_convert.ir.program import Program, format_graph, format_program, plans_from_image
from seenn_convert.passes.attach_policy import AttachPolicy, PolicyHead, policy_inputs


def head(reads: str = "drive", inputs: int = 1, channels: int = 4, timesteps: int = 6) -> PolicyHead:
    branch = (nn.AvgPool2d(4), Reshape((4 * channels,)))
    return PolicyHead(reads, (branch,) * inputs, (nn.Linear(4 * channels * inputs, timesteps),))


def attached(make, given: PolicyHead) -> tuple[Program, Program]:
    before = harness.spiking_program(harness.program_of(make))
    return before, AttachPolicy(given, 6)(before)


@pytest.mark.parametrize("reads", ["drive", "image"])
def test_the_head_computes_what_its_layers_do(reads: str) -> None:
    given = head(reads, channels=4 if reads == "drive" else 3)
    before, after = attached(toys.relu_on_image if reads == "image" else toys.conv_bn_relu, given)
    batch = harness.images(before)
    inputs = (batch,) if reads == "image" else before.stem(batch)

    assert torch.equal(after.policy_head(*inputs), given.body[0](given.features(inputs)))
    assert plans_from_image(after) is (reads == "image")
    assert format_graph(after.stem) == format_graph(before.stem)
    assert format_graph(after.graph_module) == format_graph(before.graph_module)
    assert before.policy_head is None
    assert after.history[-1].name == "AttachPolicy" and len(after.history[-1].changed) == 3


def test_several_drives_are_joined() -> None:
    given = head(inputs=2)
    before, after = attached(toys.two_drives, given)
    drives = before.stem(harness.images(before))

    assert policy_inputs(before, "drive") == ["drive_0", "drive_1"]
    assert torch.equal(after.policy_head(*drives), given.body[0](given.features(drives)))


def test_its_multiply_accumulates_are_counted() -> None:
    before, after = attached(toys.conv_bn_relu, head())
    assert (policy_macs(before), policy_macs(after)) == (0, 16 * 6)


def test_the_text_of_a_program_shows_its_head() -> None:
    _, after = attached(toys.conv_bn_relu, head())
    assert "policy\n  input drive\n  policy_0 = AvgPool2d(" in format_program(after)


def test_what_does_not_fit_is_refused() -> None:
    before, after = attached(toys.conv_bn_relu, head())
    with pytest.raises(PreconditionError, match="has a policy head already"):
        AttachPolicy(head(), 6)(after)
    with pytest.raises(PreconditionError, match="2 branches for 1 inputs"):
        AttachPolicy(head(inputs=2), 6)(before)
    with pytest.raises(PreconditionError, match="stage snn"):
        AttachPolicy(head(), 6)(harness.ann_program(harness.program_of(toys.conv_bn_relu)))
    with pytest.raises(PostconditionError, match=r"\(2, 6\), not \(2, 9\)"):
        AttachPolicy(head(), 9)(before)
