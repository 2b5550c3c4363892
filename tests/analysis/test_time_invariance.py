"""What is the same at every timestep: what no neuron precedes."""

import harness
import pytest
import toys

from seenn_convert.analysis.time_invariance import time_invariant_calls, time_varying


def test_calls_before_the_first_activation_are_invariant() -> None:
    assert time_invariant_calls(harness.program_of(toys.residual)) == {"stem"}
    assert time_invariant_calls(harness.program_of(toys.two_drives)) == {"first", "skip"}
    assert time_invariant_calls(harness.program_of(toys.relu_on_image)) == set()
    assert time_invariant_calls(harness.program_of(toys.no_relu)) == {"conv", "flatten", "head"}


def test_a_value_varies_where_any_input_does() -> None:
    """A skip connection from the image stays invariant up to the sum with what neurons sent."""
    graph = harness.program_of(toys.standing_batch_norm).graph_module.graph
    assert time_varying(graph) == set()  # an ANN has no state

    assert time_invariant_calls(harness.program_of(toys.standing_batch_norm)) == {"on_image", "conv", "pre"}


@pytest.mark.parametrize("make", toys.SPIKING)
def test_the_stem_holds_exactly_what_no_neuron_precedes(make) -> None:
    """What the ANN's graph says is invariant is the stem, and everything else is the step."""
    ann = harness.ann_program(harness.program_of(make))
    snn = harness.spiking_program(harness.program_of(make))
    stem = {node.name for node in snn.stem.graph.nodes if node.op == "call_module"}
    step = {node.name for node, _ in snn.calls()}

    assert stem == time_invariant_calls(ann)
    assert step == {node.name for node, _ in ann.calls()} - stem
