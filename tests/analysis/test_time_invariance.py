"""What is the same at every timestep: what no neuron precedes."""

import harness
import pytest
import torch
import toys

from seenn_convert.analysis.time_invariance import time_invariant_calls, time_varying
from seenn_convert.ir.operators import ConstantRow
from seenn_convert.ir.program import IMAGE
from seenn_convert.neurons.types import Signed
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.insert_neurons import InsertNeurons


def test_calls_before_the_first_activation_are_invariant() -> None:
    assert time_invariant_calls(harness.program_of(toys.residual)) == {"stem"}
    assert time_invariant_calls(harness.program_of(toys.two_drives)) == {"first", "skip"}
    assert time_invariant_calls(harness.program_of(toys.relu_on_image)) == set()
    assert time_invariant_calls(harness.program_of(toys.no_relu)) == {"conv", "flatten", "head"}


def test_a_value_varies_where_any_input_does() -> None:
    """A skip connection from the image stays invariant up to the sum with what neurons sent."""
    graph_module = harness.program_of(toys.standing_batch_norm).graph_module
    assert time_varying(graph_module) == set()  # an ANN has no state

    assert time_invariant_calls(harness.program_of(toys.standing_batch_norm)) == {"on_image", "conv", "pre"}


def test_an_input_that_varies_in_time_leaves_only_constants() -> None:
    """A constant reads of the image only how many rows it has, so it stays the same whatever the image."""
    ann = harness.program_of(toys.position_code)
    constants = {node.name for node, module in ann.calls() if isinstance(module, ConstantRow)}
    assert len(constants) == 1
    assert time_invariant_calls(ann) == {"pool", "conv"} | constants
    assert time_invariant_calls(ann, (IMAGE,)) == constants

    step = run_passes(ann, [InsertNeurons({"relu": torch.tensor(1.0)}, Signed())])
    still, varying = (time_varying(step.graph_module, inputs) for inputs in ((), (IMAGE,)))
    assert {node.name for node in varying - still} == {"image", "pool", "conv"}


@pytest.mark.parametrize("make", toys.SPIKING)
def test_the_stem_holds_exactly_what_no_neuron_precedes(make) -> None:
    """What the ANN's graph says is invariant is the stem, and everything else is the step."""
    ann = harness.ann_program(harness.program_of(make))
    snn = harness.spiking_program(harness.program_of(make))
    stem = {node.name for node in snn.stem.graph.nodes if node.op == "call_module"}
    step = {node.name for node, _ in snn.calls()}

    assert stem == time_invariant_calls(ann)
    assert step == {node.name for node, _ in ann.calls()} - stem
