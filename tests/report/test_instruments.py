"""Counts of spikes and operations are those of a run by hand."""

import pytest
import small_artifacts as small
import torch
from torch import Tensor

from seenn_convert.neuron import if_step, signed_step
from seenn_convert.report.instruments import CountingModel

IMAGES = small.draw(20, 41)[0]


@pytest.mark.parametrize("neuron", ["if", "signed"])
def test_counts_equal_a_run_by_hand(neuron: str) -> None:
    """A spike costs macs / inputs accumulates: 3600 / 80 in conv2; the head sees what the pooling lets through."""
    model = small.model(6, neuron=neuron)
    counting = CountingModel(model)
    drives, state = counting.drive(IMAGES), counting.initial_state(20)
    net = small.trained_net()
    theta = {layer.name: layer.neuron.v_threshold for layer in model.layers}
    v = {name: (0.5 * theta[name]).expand(20, 5, 4, 4) for name in theta}
    emitted = {name: torch.zeros(20, 5, 4, 4) for name in theta}

    def fire(name: str, current: Tensor) -> Tensor:
        if neuron == "if":
            output, v[name] = if_step(current, v[name], theta[name])
        else:
            output, v[name], emitted[name] = signed_step(current, v[name], emitted[name], theta[name])
        return output

    total = previous = torch.zeros(())
    for _ in range(6):
        _, _, state = counting.step(drives, state)
        first = fire("relu", drives[0])
        second = fire("relu_1", net.conv2(first))
        total = total + first + second
        pooled = torch.nn.functional.max_pool2d(total, 2)
        current, previous = pooled - previous, pooled
        for name, spikes in (("relu", first), ("relu_1", second)):
            assert counting.spikes[name].tolist() == [int((row != 0).sum()) for row in spikes]
            assert torch.equal(counting.outputs[name], spikes)
        assert counting.operations["conv2"].tolist() == [45.0 * int((row != 0).sum()) for row in first]
        assert counting.operations["head"].tolist() == [3.0 * int((row != 0).sum()) for row in current]
    assert set(counting.operations) == {"conv2", "head"}  # the stem is not a part of a timestep
    assert (counting.device, counting.dtype) == (model.device, model.dtype)


def test_counting_changes_no_bit() -> None:
    model = small.model(4)
    counting = CountingModel(model)
    a, b = model.initial_state(20), counting.initial_state(20)
    for _ in range(4):
        logits, score, a = model.step(model.drive(IMAGES), a)
        counted, scored, b = counting.step(counting.drive(IMAGES), b)
        assert torch.equal(logits, counted)
        assert torch.equal(score, scored)
