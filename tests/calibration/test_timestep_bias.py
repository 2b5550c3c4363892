"""Timestep biases close the gap to the ANN's mean, and know nothing of the future."""

import pytest
import small_artifacts as small
import torch
from calibrating import calibrate
from torch import nn

from seenn_convert.calibration.rules import MaxRule
from seenn_convert.calibration.timestep_bias import Form, fit_timestep_bias, mean_over_row, some_of
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import initial_state
from seenn_convert.neurons.layers import BinaryNeuron, Neuron
from seenn_convert.neurons.types import NEURON_TYPES, Binary
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.insert_timestep_bias import InsertTimestepBias
from seenn_convert.passes.sequence import ANN_PASSES, spiking_passes
from seenn_convert.runtime.engine import program_step, unroll


def batches(updates: int, size: int = 64) -> list[torch.Tensor]:
    images, _ = small.draw(size, 1)
    return [images] * updates


def gap(snn: Program, timesteps: int) -> float:
    """Return the mean distance, over layers and channels, of mean outputs from the ANN's mean activations."""
    images, total = batches(1)[0], 0.0
    net = small.trained_net()
    with torch.no_grad():
        first = nn.functional.max_pool2d(net.norm1(net.conv1(images)), 2).relu()
        wanted = {"relu": first, "relu_1": net.conv2(first).relu()}
        drives, state = snn.stem(images), initial_state(snn, len(images))
        for _ in range(timesteps):
            interpreter = torch.fx.Interpreter(snn.graph_module, garbage_collect_values=False)
            following = interpreter.run(*drives, *state.values())[1:]
            values = {node.name: value for node, value in interpreter.env.items()}
            state = dict(zip(state, following, strict=True))
            for name, activation in wanted.items():
                output = values[f"{name}_out"]
                total += float((output.mean(dim=(0, 2, 3)) - activation.mean(dim=(0, 2, 3))).abs().mean())
    return total / timesteps


def test_it_closes_the_gap_to_the_mean() -> None:
    plain = small.spiking_program()
    biases = fit_timestep_bias(small.ann_program(), plain, 6, batches(1))
    assert {name: tuple(bias.shape) for name, bias in biases.items()} == {"relu": (6, 5, 1, 1), "relu_1": (6, 5, 1, 1)}
    assert gap(run_passes(plain, [InsertTimestepBias(biases)]), 6) < 0.1 * gap(plain, 6)


def test_it_depends_on_nothing_later() -> None:
    short = fit_timestep_bias(small.ann_program(), small.spiking_program(), 4, batches(2))
    long = fit_timestep_bias(small.ann_program(), small.spiking_program(), 8, batches(2))
    assert all(torch.equal(short[name], long[name][:4]) for name in short)


def test_without_images_nothing_moves() -> None:
    biases = fit_timestep_bias(small.ann_program(), small.spiking_program(), 3, [])
    assert all(not bias.any() for bias in biases.values())


def test_what_the_batches_find_is_averaged() -> None:
    """What two batches find together lies between what each of them finds alone."""
    ann, snn = small.ann_program(), small.spiking_program()
    images, _ = small.draw(48, 1)
    first, both = (fit_timestep_bias(ann, snn, 2, given) for given in ([images[:32]], [images[:32], images[32:]]))
    second = fit_timestep_bias(ann, snn, 2, [images[32:]])
    for name in first:
        between = torch.stack([first[name], second[name]])
        slack = 0.2 * (between[0] - between[1]).abs().max() + 1e-6
        assert (both[name] >= between.amin(0) - slack).all() and (both[name] <= between.amax(0) + slack).all()


def test_the_observed_run_is_the_corrected_one() -> None:
    """With one batch, the outputs that an observer sees are those of the network with the biases put in."""
    ann, snn, images = small.ann_program(), small.spiking_program(), small.draw(32, 1)[0]
    seen, again = list[torch.Tensor](), list[torch.Tensor]()
    biases = fit_timestep_bias(ann, snn, 3, [images], observers=[lambda t, results, state: seen.append(results[0])])
    biased = run_passes(snn, [InsertTimestepBias(biases)])
    with torch.no_grad():
        unroll(program_step(biased), biased.stem(images), initial_state(biased, 32), 3,
               [lambda t, results, state: again.append(results[0])])  # fmt: skip
    assert all(torch.equal(one, other) for one, other in zip(seen, again, strict=True)) and len(seen) == 3


def test_thresholds_of_a_whole_layer_get_biases_too() -> None:
    ann = small.ann_program()
    thresholds = calibrate(ann, batches(1), MaxRule(), per_channel=False).v_thresholds()
    snn = run_passes(ann, spiking_passes(ann, thresholds, Binary()))
    biases = fit_timestep_bias(ann, snn, 4, batches(3))
    neurons = {node.name: module for node, module in snn.calls() if isinstance(module, BinaryNeuron)}
    assert {name: tuple(bias.shape) for name, bias in biases.items()} == {
        name: (4, *neuron.v_threshold.shape) for name, neuron in neurons.items()
    }
    run_passes(snn, [InsertTimestepBias(biases)])


def test_a_reused_activation_has_a_bias_for_each_call() -> None:
    """Call sites that share one ReLU get neurons of their own, whatever they are called in the graph."""

    class Reused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act, self.a, self.b, self.c = nn.ReLU(), nn.Linear(64, 6), nn.Linear(6, 6), nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.c(self.act(self.b(self.act(self.a(x.flatten(1))))))

    ann = run_passes(from_torch(Reused().eval(), small.SHAPE), ANN_PASSES)
    images = torch.randn(32, *small.SHAPE, generator=torch.Generator().manual_seed(0))
    snn = run_passes(ann, spiking_passes(ann, calibrate(ann, [images], MaxRule()).v_thresholds(), NEURON_TYPES["if"]))
    biases = fit_timestep_bias(ann, snn, 4, [images])
    assert len(biases) == 2
    run_passes(snn, [InsertTimestepBias(biases)])


def test_the_mean_goes_over_all_that_shares_a_threshold() -> None:
    values = torch.rand(4, 3, 2, 2)
    channel, layer = (BinaryNeuron(torch.ones(shape), torch.ones(shape)) for shape in ((3, 1, 1), ()))
    assert torch.allclose(mean_over_row(values, channel).flatten(), values.mean(dim=(0, 2, 3)))
    assert torch.allclose(mean_over_row(values, layer), values.mean())
    row = torch.rand(4, 3)
    assert torch.allclose(mean_over_row(row, BinaryNeuron(torch.ones(3), torch.ones(3))), row.mean(dim=0))


@pytest.mark.parametrize("form", ["bias", "potential"])
def test_one_bias_or_one_potential_corrects_the_mean_after_the_run(form: Form) -> None:
    """Light corrections: constant in time, or only at the first timestep and within half a threshold."""
    plain = small.spiking_program()
    biases = fit_timestep_bias(small.ann_program(), plain, 6, batches(1), form=form)
    thresholds = {node.name: module.v_threshold for node, module in plain.calls() if isinstance(module, Neuron)}
    for name, bias in biases.items():
        if form == "bias":
            assert torch.allclose(bias, bias[:1].expand_as(bias)) and bias.any()
        else:
            assert not bias[1:].any() and bias[0].any()
            assert (bias[0].abs() <= thresholds[name] / 2 * 1.0001).all()
    assert final_gap(run_passes(plain, [InsertTimestepBias(biases)]), 6) < 0.7 * final_gap(plain, 6)


def final_gap(snn: Program, timesteps: int) -> float:
    """Return the mean distance of the mean output after the run from the ANN's mean activation, first layer."""
    images, total = batches(1)[0], 0.0
    net = small.trained_net()
    with torch.no_grad():
        wanted = nn.functional.max_pool2d(net.norm1(net.conv1(images)), 2).relu().mean(dim=(0, 2, 3))
        drives, state = snn.stem(images), initial_state(snn, len(images))
        for _ in range(timesteps):
            interpreter = torch.fx.Interpreter(snn.graph_module, garbage_collect_values=False)
            following = interpreter.run(*drives, *state.values())[1:]
            state = dict(zip(state, following, strict=True))
            outputs = {node.name: value for node, value in interpreter.env.items()}
            total = total + outputs["relu_out"].mean(dim=(0, 2, 3))
    return float((total / timesteps - wanted).abs().mean())


def test_images_that_do_not_fit_together_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    images, _ = small.draw(40, 1)
    given = fit_timestep_bias(small.ann_program(), small.spiking_program(), 3, images.split(17))
    monkeypatch.setattr("seenn_convert.ir.state.UPDATED_NUMBERS", 17 * state_size(small.spiking_program()))
    parts = fit_timestep_bias(small.ann_program(), small.spiking_program(), 3, [images])
    assert all(torch.equal(given[name], parts[name]) for name in given)


def state_size(snn: Program) -> int:
    return sum(torch.Size(spec.shape).numel() for spec in snn.states)


def test_a_mean_reads_evenly_spaced_values_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    channel, layer = (BinaryNeuron(torch.ones(shape), torch.ones(shape)) for shape in ((3, 1, 1), ()))
    values = torch.arange(2 * 3 * 8 * 4).reshape(2, 3, 8, 4)
    assert some_of(values, channel) is values
    monkeypatch.setattr("seenn_convert.calibration.timestep_bias.MEAN_OF", (16, 16))
    assert torch.equal(some_of(values, channel), values[:, :, 2::4])  # 64 a channel, so every fourth row of them
    assert torch.equal(some_of(values, layer), values[:, :, 4::8])  # 192 of the layer: one row is the least
    alone = BinaryNeuron(torch.ones(3, 8, 4), torch.ones(3, 8, 4))
    assert some_of(values, alone) is values
