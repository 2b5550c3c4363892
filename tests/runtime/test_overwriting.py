"""The step that writes over its state: the bits of the step that does not, and nothing else is touched."""

import copy
import operator
import pickle
from dataclasses import replace
from typing import Any

import pytest
import small_artifacts as small
import torch
import toys
from converted_toys import NETWORKS, T, converted
from torch import Tensor, nn

from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.ir.editor import Draft
from seenn_convert.neurons.layers import BinaryNeuron, SignedNeuron
from seenn_convert.rows import Reuse, each_number_apart, into, summed
from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
from seenn_convert.runtime.overwriting import own_start
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.adopt.options import AdoptOptions
from seenn_convert.workflows.adopt.run import adopt
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert


@pytest.mark.parametrize(("network", "neuron", "options"), NETWORKS)
@pytest.mark.parametrize("rows", [1, 16])
def test_it_gives_the_bits_of_the_step(network: str, neuron: str, options: dict[str, str], rows: int) -> None:
    program = converted(network, neuron, options.get("skips", "graded")).snn
    model = SpikingModel(program, T, FixedPolicy(T))
    before = copy.deepcopy(program.graph_module.state_dict())
    drives = model.drive(torch.rand(rows, *program.input_shape, generator=torch.Generator().manual_seed(6)))
    kept = [drive.clone() for drive in drives]
    state, own, held = model.initial_state(rows), own_start(model, rows), []
    for _ in range(T + 2):
        *wanted, state = model.step(drives, state)
        *found, own = model.advance(drives, own)
        held.append((found, wanted))
        assert all(torch.equal(own[name], value) for name, value in state.items())
    assert all(torch.equal(one, other) for found, wanted in held for one, other in zip(found, wanted, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(drives, kept, strict=True))
    after = program.graph_module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_it_does_write_over_its_state() -> None:
    model = SpikingModel(converted("residual", "signed", "graded").snn, T, FixedPolicy(T))
    drives = model.drive(torch.rand(16, *model.program.input_shape))
    *_, state = model.step(drives, model.initial_state(16))
    held = {name: (value, value.clone()) for name, value in state.items()}
    model.advance(drives, state)
    written = {name for name, (value, copied) in held.items() if not torch.equal(value, copied)}
    assert {name for name in held if name.endswith(("_v", "_emitted"))} <= written


def test_a_copy_and_a_pickled_model_go_on_alone() -> None:
    model = SpikingModel(converted("residual", "signed", "graded").snn, T, FixedPolicy(T))
    images = torch.rand(3, *model.program.input_shape)
    wanted = model(images).logits
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(images).logits, wanted)
        other.double()
        assert other(images).logits.dtype == torch.float64
    assert torch.equal(model(images).logits, wanted)
    assert list(model.state_dict()) == list(SpikingModel(model.program, T, FixedPolicy(T)).state_dict())


def test_images_with_gradients_run_too() -> None:
    model = SpikingModel(converted("residual", "signed", "graded").snn, T, FixedPolicy(T))
    images = torch.rand(2, *model.program.input_shape)
    assert torch.equal(model(images.clone().requires_grad_()).logits.detach(), model(images).logits)


def test_what_is_not_free_is_left_alone() -> None:
    buffer, like = torch.ones(2, 3, 4, 5), torch.ones(2, 3, 4, 5)
    assert into(buffer, like, allowed=True) is buffer
    assert into(buffer, like, allowed=False) is None
    others = (torch.ones(2, 1, 4, 5), torch.ones(2, 3, 4, 5).double(), buffer.to(memory_format=torch.channels_last))
    assert all(into(buffer, other, allowed=True) is None for other in others)
    wide = torch.ones(1).expand(2, 3)
    assert not each_number_apart(wide) and into(wide, wide, allowed=True) is None
    current = torch.zeros(2, 3)
    assert summed(current, torch.ones(2, 3), Reuse(current=True)) is current
    assert summed(current, torch.ones(2, 3), Reuse(state=True)) is not current
    assert summed(wide, torch.ones(2, 3), Reuse(current=True)).tolist() == [[2.0] * 3] * 2 and wide[0, 0] == 1


class _KeepsItsInput(BinaryNeuron):
    """Neurons of the user's own: the current of the timestep before is a state, and is the current itself."""

    state_names = ("v", "last")
    reuses = False

    def forward(self, current: Tensor, v: Tensor, last: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        output, following = super().forward(current + 0.5 * (current - last), v)
        return output, following, current


class _Twins(nn.Module):
    """Its step hands on one tensor as two states, or the current, which does not vary in time, as a state."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.inward, self.head = kind, nn.Conv2d(1, 4, 3, padding=1), nn.Linear(256, 3)

    def step(self, image: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        current = self.inward(image)
        first, second = (torch.full_like(current, 0.5), torch.zeros_like(current)) if state is None else state
        v = 0.8 * first + current + 0.3 * (second if self.kind == "twins" else current - second)
        spikes = (v >= 0.5).to(v.dtype)
        following = v - 0.5 * spikes
        return self.head(spikes.flatten(1)), (following, following if self.kind == "twins" else current)


def by_hand(model: SpikingModel, images: Tensor, trace: ExitTrace) -> Tensor:
    """Return the logits at the exits from timesteps of all images, made one after the other."""
    drives, state, logits = model.drive(images), model.initial_state(len(images)), []
    for _ in range(model.timesteps):
        mean, _, state = model.step(drives, state)
        logits.append(mean)
    return torch.stack(logits)[trace.exit_step - 1, torch.arange(len(images))]


@pytest.mark.parametrize("kind", ["twins", "current"])
def test_a_step_that_hands_on_one_tensor_twice_is_refilled_row_by_row(kind: str) -> None:
    torch.manual_seed(0)
    network, images = _Twins(kind).eval(), torch.randn(90, 1, 8, 8)
    start = (torch.full((1, 4, 8, 8), 0.5), torch.zeros(1, 4, 8, 8))  # which differ in a fresh row
    options = AdoptOptions(timesteps=5, target=ExitTarget(timesteps=2.5))
    model = adopt(network, images, options, start=start).model()
    for capacity in (90, 32, 17):
        trace = run_early_exit(model, images, capacity=capacity)
        assert len(trace.exit_step.unique()) > 1
        torch.testing.assert_close(trace.logits, by_hand(model, images, trace))


def test_neurons_that_keep_their_current_keep_it() -> None:
    def body(m: Any, x: Tensor) -> Tensor:
        current = m.conv(m.relu(m.stem(x)))
        return m.head((current + m.relu(current)).mean((2, 3)))  # type: ignore[no-any-return]

    toy = toys.toy(body, stem=toys.conv(), conv=toys.conv(4), relu=nn.ReLU(), head=nn.Linear(4, 5))
    pixels = torch.rand(48, *toy.input_shape, generator=torch.Generator().manual_seed(5))
    options = Options(timesteps=T, neuron="if", front="none", calibration="fast", correction="none", encode="never")
    program = convert(toy, small.as_dataset(pixels, None), options).snn  # the sum and the neurons read one current
    modules = [(node, module) for node, module in program.calls() if type(module) is BinaryNeuron]
    draft = Draft(program)
    for node, module in modules:
        mine = next(one for one in draft.graph.nodes if one.name == node.name)
        draft.replace_module(mine, _KeepsItsInput(module.v_threshold, module.v_initial))
        last = draft.add_state(f"{node.name}_last", program.states[0].shape)
        last_shape = next(spec.shape for spec in program.states if spec.name == f"{node.name}_v")
        draft.states[-1] = replace(draft.states[-1], shape=last_shape)
        mine.args = (*mine.args, last)
        with draft.graph.inserting_after(mine):
            item = draft.graph.create_node("call_function", operator.getitem, (mine, 2), {}, name=f"{node.name}_kept")
        draft.set_next(last, item)
    model = SpikingModel(draft.finish("keep"), T, FixedPolicy(T))
    images = torch.rand(20, *program.input_shape, generator=torch.Generator().manual_seed(6))
    trace = run_early_exit(model, images, capacity=20)
    assert torch.equal(trace.logits, by_hand(model, images, trace))


def test_a_module_that_is_replaced_is_used() -> None:
    model = SpikingModel(copy.deepcopy(converted("residual", "signed", "graded").snn), T, FixedPolicy(T))
    images = torch.rand(16, *model.program.input_shape)
    before = model(images).logits
    node, neuron = next((node, one) for node, one in model.program.calls() if isinstance(one, SignedNeuron))
    model.step_graph.set_submodule(str(node.target), SignedNeuron(3 * neuron.v_threshold, neuron.v_initial))
    after = model(images)
    assert not torch.equal(after.logits, before)
    assert torch.equal(after.logits, by_hand(model, images, after))
