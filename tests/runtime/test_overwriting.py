"""The step that writes over its state: the bits of the step that does not, and nothing else is touched."""

import copy
import pickle

import pytest
import torch
from converted_toys import NETWORKS, T, converted

from seenn_convert.rows import Reuse, each_number_apart, into, summed
from seenn_convert.runtime.overwriting import own_start
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel


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
