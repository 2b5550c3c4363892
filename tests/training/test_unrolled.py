"""A spiking network in training: the numbers of the network to the bit, and gradients for all that is learned."""

from functools import cache

import pytest
import small_artifacts as small
import torch
import toys

from seenn_convert.data.dataset import Dataset
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.ir.program import Program
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
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
    found = trained(images, T)
    model = SpikingModel(trained.settled(), T, FixedPolicy(T))
    wanted = collect_readouts(model, [images], keep_logits=True).logits
    assert wanted is not None and torch.equal(found.detach(), wanted)
    before = collect_readouts(SpikingModel(program, T, FixedPolicy(T)), [images], keep_logits=True).logits
    assert before is not None and not torch.equal(wanted, before)  # and the program that was given is untouched


@pytest.mark.parametrize(("network", "neuron"), NETWORKS)
def test_all_that_is_learned_has_a_finite_gradient_the_same_if_it_is_computed_again(network: str, neuron: str) -> None:
    program = converted(network, neuron)
    images = torch.rand(16, *program.input_shape, generator=torch.Generator().manual_seed(6))
    gradients = []
    for recompute in (False, True):
        trained = Unrolled(program)
        with torch.enable_grad():
            trained(images, T, recompute).square().sum().backward()
        gradients.append({name: one.grad for name, one in trained.named_parameters()})
    assert all(one is not None and bool(one.isfinite().all()) for one in gradients[0].values())
    assert any(float(one.abs().max()) > 0 for name, one in gradients[0].items() if "log_threshold" in name)
    for name, one in gradients[0].items():
        torch.testing.assert_close(one, gradients[1][name])
