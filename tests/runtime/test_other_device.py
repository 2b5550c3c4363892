"""The early-exit loop on a device that is not the CPU: no tensor of the CPU in it, and one wait in a timestep."""

import copy

import pytest
import torch
from converted_toys import NETWORKS, T, converted
from other_device import DEVICE, Elsewhere, OtherDevice

from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import ThresholdPolicy
from seenn_convert.runtime.spiking_model import SpikingModel


def moved(model: SpikingModel) -> SpikingModel:
    """Return the model with its tensors on the other device."""
    for module in model.modules():
        for name, value in module._buffers.items():
            module._buffers[name] = None if value is None else Elsewhere(value)
        for name, value in module._parameters.items():
            if value is not None:
                module._parameters[name] = torch.nn.Parameter(Elsewhere(value.detach()), requires_grad=False)
    return model


def test_the_device_refuses_to_meet_the_cpu_and_counts_who_waits() -> None:
    there = Elsewhere(torch.tensor([1.0, 2.0]))
    with OtherDevice() as device, torch.no_grad():
        assert there.device == DEVICE and torch.arange(2, device=DEVICE).device == DEVICE
        assert isinstance(there + 1, Elsewhere) and isinstance(there * torch.tensor(2.0), Elsewhere)
        with pytest.raises(AssertionError, match="of the device and of the CPU"):
            there + torch.ones(2)
        assert not device.waits
        assert bool((there > 0).all()) and (there > 1).nonzero().tolist() == [[1]]
        assert there[there > 1].shape == (1,)
        assert sum(device.waits.values()) >= 3


@pytest.mark.parametrize(("network", "neuron", "options"), NETWORKS)
def test_it_runs_there_with_one_wait_in_a_timestep(network: str, neuron: str, options: dict[str, str]) -> None:
    artifact = converted(network, neuron, options.get("skips", "graded"))
    policy = ThresholdPolicy(artifact.policy.score_name or "confidence", (0.4, 0.5, 0.6))
    images = torch.rand(24, *artifact.snn.input_shape, generator=torch.Generator().manual_seed(6))
    wanted = run_early_exit(SpikingModel(copy.deepcopy(artifact.snn), T, policy), images, capacity=16)
    with torch.no_grad(), OtherDevice() as device:
        model = moved(SpikingModel(copy.deepcopy(artifact.snn), T, policy))
        assert model.device == DEVICE
        steps = []
        advance = model.advance
        model.advance = lambda *given: (steps.append(1), advance(*given))[1]  # type: ignore[method-assign]
        source = [Elsewhere(part) for part in images.split(8)]
        device.waits.clear()
        found = run_early_exit(model, source, capacity=16)
    assert isinstance(found.predictions, Elsewhere)
    assert torch.equal(found.exit_step.numbers, wanted.exit_step)
    assert torch.equal(found.logits.numbers, wanted.logits)
    tail = 2 * len(wanted.exit_step.unique())  # where no fresh rows come, the batch shrinks, and what is checked once
    assert sum(device.waits.values()) <= len(steps) + tail + len(source) + 2, device.waits
