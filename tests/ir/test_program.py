"""A program says what it is, prints itself, and starts its own state."""

import dataclasses

import harness
import pytest
import small_artifacts as small
import torch
import toys
from torch import fx, nn

from seenn_convert.ir.program import PassRecord, Program, Stage, StateSpec, format_graph, format_program
from seenn_convert.ir.scores import CONFIDENCE
from seenn_convert.ir.state import initial_state, rows_fitted_together, rows_together
from seenn_convert.passes.sequence import ANN_PASSES


def test_an_ann_program_maps_images_to_logits() -> None:
    program = harness.program_of(toys.perceptron)

    assert program.stage is Stage.ANN
    assert program(torch.randn(3, 7)).shape == (3, 5)
    assert [type(module).__name__ for _, module in program.calls()] == [
        "Linear", "BatchNorm1d", "Dropout", "ReLU", "Linear",
    ]  # fmt: skip


def test_a_program_is_frozen() -> None:
    program = harness.program_of(toys.perceptron)

    with pytest.raises(dataclasses.FrozenInstanceError):
        program.stage = Stage.SNN  # type: ignore[misc]


def test_an_ann_program_as_text(golden) -> None:
    golden.check("program_ann.txt", format_program(harness.program_of(toys.residual)))


def test_a_spiking_program_as_text(golden) -> None:
    """Stem, step and state; thresholds are set by hand, so that the text does not depend on numbers."""
    from seenn_convert.neurons.types import Signed
    from seenn_convert.passes.base import run_passes
    from seenn_convert.passes.sequence import probe_pass, spiking_passes

    ann = harness.ann_program(harness.program_of(toys.pool_between_neurons))
    snn = run_passes(ann, spiking_passes(ann, {"relu": torch.tensor(2.0)}, Signed()))
    golden.check("program_snn.txt", format_program(run_passes(snn, [probe_pass(ann, CONFIDENCE, torch.ones(4))])))


def test_a_spiking_program_is_not_called() -> None:
    with pytest.raises(TypeError, match="SpikingModel"):
        harness.spiking_program(harness.program_of(toys.perceptron))(torch.zeros(1, 7))


def test_sources_are_found_by_name() -> None:
    program = Program(fx.GraphModule(nn.Module(), fx.Graph()), Stage.ANN, (1,), sources=(("conv", "net.py:3"),))

    assert program.source_of("conv") == "net.py:3"
    assert program.source_of("other") == ""


def test_initial_state_starts_from_the_named_buffer_or_zero() -> None:
    graph, root = fx.Graph(), nn.Module()
    root.neuron = nn.Module()
    root.neuron.register_buffer("v_initial", torch.tensor([1.0, 2.0]).reshape(2, 1))
    graph.output(graph.call_module("neuron", (graph.placeholder("image"),)))
    states = (StateSpec("v", (2, 3), "neuron.v_initial"), StateSpec("emitted", (2, 3)), StateSpec("clock", ()))
    state = initial_state(Program(fx.GraphModule(root, graph), Stage.SNN, (1,), states=states), 4)

    assert list(state) == ["v", "emitted", "clock"]
    assert state["v"].shape == (4, 2, 3) and (state["v"][:, 1] == 2).all() and (state["v"][:, 0] == 1).all()
    assert state["emitted"].shape == (4, 2, 3) and not state["emitted"].any()
    assert state["clock"].tolist() == [0.0] * 4
    with pytest.raises(RuntimeError, match="single memory location"):  # rows share memory; none is written by accident
        state["v"][0] = 9
    assert root.neuron.v_initial.flatten().tolist() == [1.0, 2.0]


def test_the_state_of_any_program_has_the_shapes_it_says() -> None:
    snn = harness.spiking_program(harness.program_of(toys.residual))

    for spec, value in zip(snn.states, initial_state(snn, 3).values(), strict=True):
        assert value.shape == (3, *spec.shape)


def test_graphs_print_one_line_a_node() -> None:
    graph, root = fx.Graph(), nn.Module()
    root.act = nn.LeakyReLU(0.1)
    image = graph.placeholder("image")
    graph.output((graph.call_module("act", (image,)), image))

    assert format_graph(fx.GraphModule(root, graph)).splitlines() == [
        "input image",
        "act = LeakyReLU(negative_slope=0.1)(image)",
        "return (act, image)",
    ]


def test_history_records_every_pass_in_order() -> None:
    ann = harness.ann_program(harness.program_of(toys.conv_bn_relu))

    assert [record.name for record in ann.history] == [one.name for one in ANN_PASSES]
    assert PassRecord("FoldBatchNorm", ("conv", "bn")) in ann.history


def test_rows_run_together_as_their_state_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    program = small.spiking_program()
    a_row = sum(torch.Size(spec.shape).numel() for spec in program.states)
    assert rows_together(program, 50) == 50
    monkeypatch.setattr("seenn_convert.ir.state.STATE_NUMBERS", 7 * a_row + 1)
    assert rows_together(program, 50) == 7
    monkeypatch.setattr("seenn_convert.ir.state.STATE_NUMBERS", 1)
    assert rows_together(program, 50) == 1


def test_rows_of_a_fit_do_not_depend_on_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is fitted to a batch has to come out the same on any machine."""
    program = small.spiking_program()
    a_row = sum(torch.Size(spec.shape).numel() for spec in program.states)
    monkeypatch.setattr("seenn_convert.ir.state.UPDATED_NUMBERS", 20 * a_row + 1)
    found = set()
    for threads in (1, 64):
        monkeypatch.setattr("torch.get_num_threads", lambda threads=threads: threads)
        found.add((rows_fitted_together(program, 50), rows_fitted_together(program, 10)))
    assert found == {(20, 10)}
    monkeypatch.setattr("seenn_convert.ir.state.UPDATED_NUMBERS", 1)
    assert rows_fitted_together(program, 50) == 16


def test_rows_on_a_cpu_are_fewer_but_not_below_the_floor_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    program = small.spiking_program()
    a_row = sum(torch.Size(spec.shape).numel() for spec in program.states)
    monkeypatch.setattr("seenn_convert.ir.state.FEWEST_THREADS", 1000)
    monkeypatch.setattr("seenn_convert.ir.state.NUMBERS_PER_THREAD", 20 * a_row / 1000)
    assert rows_together(program, 50) == 20
    assert rows_together(program, 10) == 10
    monkeypatch.setattr("seenn_convert.ir.state.NUMBERS_PER_THREAD", a_row / 1000)
    assert rows_together(program, 50) == 16
