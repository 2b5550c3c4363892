"""The editable copy: the program it came from stays as it was, and the bookkeeping is right."""

import harness
import pytest
import torch
import toys
from torch import fx, nn

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import Add
from seenn_convert.ir.program import Program, Stage, format_program
from seenn_convert.ir.state import initial_state
from seenn_convert.neurons.layers import BinaryNeuron


def shared_program() -> Program:
    """``act(linear(act(image)))``, one ReLU called twice."""
    graph, root = fx.Graph(), nn.Module()
    root.act, root.linear = nn.ReLU(), nn.Linear(3, 3)
    image = graph.placeholder("image")
    first = graph.call_module("act", (image,))
    graph.output(graph.call_module("act", (graph.call_module("linear", (first,)),)))
    return Program(fx.GraphModule(root, graph), Stage.ANN, (3,), sources=(("act", "net.py:1"),))


def node_of(draft: Draft, name: str) -> fx.Node:
    return next(node for node in draft.graph.nodes if node.name == name)


def test_a_draft_is_a_copy_that_shares_the_weights() -> None:
    program = shared_program()
    text, draft = format_program(program), Draft(program)
    draft.bypass(node_of(draft, "linear"))
    finished = draft.finish("Test")

    assert format_program(program) == text
    assert "linear" in dict(program.graph_module.named_modules())
    assert "linear" not in dict(finished.graph_module.named_modules())
    untouched = Draft(program).finish("Nothing")
    assert untouched.graph_module.get_parameter("linear.weight") is program.graph_module.get_parameter("linear.weight")


def test_modules_of_yields_the_calls_of_a_kind_in_order() -> None:
    draft = Draft(shared_program())

    assert [node.name for node, _ in draft.modules_of()] == ["act", "linear", "act_1"]
    assert [node.name for node, _ in draft.modules_of(nn.ReLU)] == ["act", "act_1"]
    assert draft.module_at(node_of(draft, "image")) is None
    assert draft.source_of(node_of(draft, "linear")).name == "act"


def test_replacing_one_call_of_a_shared_module_keeps_the_other() -> None:
    program = shared_program()
    draft = Draft(program)
    draft.replace_module(node_of(draft, "act_1"), nn.Sigmoid())
    finished = draft.finish("Test")

    assert [(node.name, node.target, type(module)) for node, module in finished.calls()] == [
        ("act", "act", nn.ReLU),
        ("linear", "linear", nn.Linear),
        ("act_1", "act_1", nn.Sigmoid),
    ]
    assert finished.history[-1].changed == ("act_1",)
    assert isinstance(program.graph_module.act, nn.ReLU)


def test_bypass_hands_the_input_to_the_users() -> None:
    draft = Draft(shared_program())
    draft.bypass(node_of(draft, "act_1"))
    draft.bypass(node_of(draft, "linear"))
    finished = draft.finish("Test")
    x = torch.randn(2, 3)

    assert torch.equal(finished(x), x.relu())
    assert finished.history[-1].changed == ("act_1", "linear")


def test_insert_after_names_freshly_and_keeps_the_source() -> None:
    draft = Draft(shared_program())
    act, output = node_of(draft, "act"), node_of(draft, "output")
    call = draft.insert_after(node_of(draft, "act_1"), "act", Add(), [node_of(draft, "act_1"), act])
    draft.graph.output_node().replace_input_with(output.all_input_nodes[0], call)
    finished = draft.finish("Test")

    assert call.name not in ("act", "act_1") and call.name.startswith("act")
    x = torch.randn(2, 3)
    expected = finished.graph_module.linear(x.relu()).relu() + x.relu()
    assert torch.equal(finished(x), expected)
    assert draft.sources["act"] == "net.py:1" and call.name in draft.sources


def test_state_is_added_behind_the_inputs_and_returned_in_its_order() -> None:
    draft = Draft(shared_program())
    draft.stage = Stage.SNN
    draft.set_outputs(draft.outputs)
    neuron = BinaryNeuron(torch.tensor(1.0), torch.tensor(0.5))
    act = node_of(draft, "act")
    draft.replace_module(act, neuron)
    v = draft.add_state("act_v", (3,), f"{act.target}.v_initial")
    extra = draft.add_state("extra", (2,))
    act.args = (node_of(draft, "image"), v)
    output, v_next = draft.insert_items(act, ["act_out", "act_v_next"])
    act.replace_all_uses_with(output, delete_user_cb=lambda user: user not in (output, v_next))
    draft.set_next(v, v_next)
    program = draft.finish("Test")

    inputs = [node.name for node in program.graph_module.graph.nodes if node.op == "placeholder"]
    assert inputs == ["image", "act_v", "extra"]
    assert [(spec.name, spec.shape) for spec in program.states] == [("act_v", (3,)), ("extra", (2,))]
    assert [node.name for node in Draft(program).outputs] == ["act_1", "act_v_next", "extra"]
    state = initial_state(program, 2)
    _, v_after, extra_after = program.graph_module(torch.full((2, 3), 0.6), *state.values())
    assert torch.allclose(v_after, torch.full((2, 3), 0.1))  # 0.5 + 0.6 - 1
    assert torch.equal(extra_after, state[extra.name])  # state without a successor stays


def test_the_clock_is_added_once_and_counts_steps() -> None:
    draft = Draft(shared_program())
    draft.stage = Stage.SNN
    draft.set_outputs(draft.outputs)
    draft.replace_module(node_of(draft, "act"), nn.BatchNorm1d(3))  # any buffer, to make the state like
    assert draft.clock() is draft.clock()
    program = draft.finish("Test")

    clocks = [step.state["clock"].tolist() for step in harness.timesteps(program, torch.zeros(2, 3), 3)]
    assert clocks == [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]


def test_shapes_are_those_of_one_row() -> None:
    shapes = harness.shapes(harness.program_of(toys.conv_bn_relu))

    assert shapes["image"] == (3, 8, 8)
    assert shapes["conv"] == (4, 8, 8)
    assert shapes["output"] == (5,)


def test_finish_drops_what_nothing_reads_and_records_what_happened() -> None:
    draft = Draft(shared_program())
    draft.insert_after(node_of(draft, "act_1"), "dead", nn.Linear(3, 3), [node_of(draft, "act_1")])
    draft.decline(node_of(draft, "act"), "it is fine")
    draft.changed(node_of(draft, "act"))
    draft.changed(node_of(draft, "act"))
    program = draft.finish("Test")

    assert "dead" not in dict(program.graph_module.named_modules())
    assert program.history[-1].name == "Test"
    assert program.history[-1].changed == ("dead", "act")
    assert program.history[-1].declined == (("act", "it is fine"),)


def test_finish_refuses_a_graph_out_of_order() -> None:
    draft = Draft(shared_program())
    node_of(draft, "act").args = (node_of(draft, "act_1"),)

    with pytest.raises(RuntimeError, match="before it"):
        draft.finish("Test")
