"""A spiking network in training: the numbers of the network to the bit, and gradients for all that is learned."""

from dataclasses import replace
from functools import cache

import pytest
import small_artifacts as small
import torch
import toys
from torch import Tensor

from seenn_convert.data.dataset import Dataset
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.ir.program import Program
from seenn_convert.measure.instruments import CountingModel
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.training.spike_cost import spike_cost
from seenn_convert.training.unrolled import Unrolled
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert

T = 4


@cache
def converted(network: str, neuron: str) -> Program:
    toy = getattr(toys, network)()
    pixels = torch.rand(48, *toy.input_shape, generator=torch.Generator().manual_seed(5))
    data: Dataset = small.as_dataset(pixels, None)
    return convert(toy, data, Options(timesteps=T, neuron=neuron, front="none", calibration="fast")).snn  # type: ignore[arg-type]


NETWORKS = [("residual", "signed"), ("residual", "if"), ("clipped", "multilevel"), ("depthwise", "tracking"),
            ("pool_between_neurons", "group")]  # fmt: skip


@pytest.mark.parametrize(("network", "neuron"), NETWORKS)
def test_it_computes_what_the_network_computes_that_comes_of_it(network: str, neuron: str) -> None:
    program = converted(network, neuron)
    trained = Unrolled(program)
    images = torch.rand(16, *program.input_shape, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        for one in trained.parameters():
            one.add_(0.01)
    found, spent = trained(images, T)
    assert not spent.any()  # what spikes cost is not asked
    model = SpikingModel(trained.settled(), T, FixedPolicy(T))
    wanted = collect_readouts(model, [images], keep_logits=True).logits
    assert wanted is not None and torch.equal(found.detach(), wanted)
    before = collect_readouts(SpikingModel(program, T, FixedPolicy(T)), [images], keep_logits=True).logits
    assert before is not None and not torch.equal(wanted, before)  # and the program that was given is untouched


@pytest.mark.parametrize(("network", "neuron"), NETWORKS)
def test_before_anything_is_learned_it_is_the_network_to_the_bit(network: str, neuron: str) -> None:
    program = converted(network, neuron)
    images = torch.rand(16, *program.input_shape, generator=torch.Generator().manual_seed(6))
    wanted = collect_readouts(SpikingModel(program, T, FixedPolicy(T)), [images], keep_logits=True).logits
    with torch.no_grad():
        found, _ = Unrolled(program)(images, T)
    assert wanted is not None and torch.equal(found, wanted)
    before, after = program.graph_module.state_dict(), Unrolled(program).settled().graph_module.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in after.items())


@pytest.mark.parametrize(("network", "neuron"), NETWORKS)
def test_all_that_is_learned_has_a_finite_gradient_the_same_if_it_is_computed_again(network: str, neuron: str) -> None:
    program = converted(network, neuron)
    images = torch.rand(16, *program.input_shape, generator=torch.Generator().manual_seed(6))
    gradients = []
    for recompute in (False, True):
        trained = Unrolled(program)
        with torch.enable_grad():
            trained(images, T, recompute)[0].square().sum().backward()
        gradients.append({name: one.grad for name, one in trained.named_parameters()})
    assert all(one is not None and bool(one.isfinite().all()) for one in gradients[0].values())
    assert any(float(one.abs().max()) > 0 for name, one in gradients[0].items() if "log_change" in name)
    for name, one in gradients[0].items():
        torch.testing.assert_close(one, gradients[1][name])


@pytest.mark.parametrize(("network", "neuron"), [("residual", "signed"), ("residual", "if"), ("depthwise", "tracking")])
def test_in_one_level_the_quantised_ann_answers_what_the_network_answers_at_the_first_timestep(
    network: str, neuron: str
) -> None:
    trained = Unrolled(converted(network, neuron))
    images = torch.rand(16, *trained.program.input_shape, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        torch.testing.assert_close(trained.rates(images, 1), trained(images, 1)[0][0])


def test_the_cost_of_spikes_is_the_operations_that_are_counted() -> None:
    program = converted("residual", "if")
    images = torch.rand(16, *program.input_shape, generator=torch.Generator().manual_seed(6))
    counting = CountingModel(SpikingModel(program, T, FixedPolicy(T)))
    operations: list[Tensor] = []

    def count(*unused: object) -> None:
        operations.append(sum(counting.operations[name] for name in ("conv1", "conv2", "down")))

    cost = spike_cost(program)
    assert dict(cost.fan_outs) == {"relu": 4 * 3 * 3, "relu_1": 4 * 3 * 3, "relu_2": 6 / 4, "relu_3": 5}
    without_last = replace(cost, fan_outs={**cost.fan_outs, "relu_3": 0})  # its spikes are averaged before they count
    found, spent = Unrolled(program, without_last)(images, T)
    collect_readouts(counting, [images], observers=(count,))
    torch.testing.assert_close(spent * cost.most, torch.stack(operations).to(spent.dtype))
    assert torch.equal(found, Unrolled(program)(images, T)[0])  # and counting changes nothing
