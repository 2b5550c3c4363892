"""The spiking network is an ordinary module: it moves, copies and keeps nothing between calls."""

import copy

import pytest
import small_artifacts as small
import torch

from seenn_convert.errors import InputError
from seenn_convert.neurons.layers import SignedNeuron
from seenn_convert.runtime.policies import FixedPolicy, ThresholdPolicy
from seenn_convert.runtime.spiking_model import SpikingModel

IMAGES = small.draw(40, 11)[0]


WRONG = [torch.zeros(shape) for shape in ((1, 8, 8), (2, 1, 8, 9), (2, 3, 8, 8), (3,), (), (1, 1, 1, 8, 8))]


@pytest.mark.parametrize("image", [*WRONG, [[0.0]], None])
def test_a_wrong_shape_is_an_input_error(image: object) -> None:
    model = small.model()
    for call in (model, model.drive):
        with pytest.raises(InputError, match=r"batch of shape \(B, 1, 8, 8\), got"):
            call(image)  # type: ignore[operator]


def test_an_empty_batch_gives_an_empty_trace() -> None:
    assert small.model()(IMAGES[:0]).predictions.shape == (0,)


@pytest.mark.parametrize("neuron", ["signed", "if"])
def test_it_tends_to_the_ann(neuron: str) -> None:
    """The mean logits differ from the ANN's by at most a constant over t: 4 times the steps, a quarter the error."""
    with torch.no_grad():
        wanted = small.trained_net()(IMAGES)
        logits = [small.model(t, FixedPolicy(t), neuron)(IMAGES).logits for t in (16, 256)]
        errors = [float((given - wanted).abs().mean()) for given in logits]
    assert errors[1] < errors[0] / 4
    assert errors[1] < 0.05 * float(wanted.abs().mean())


def test_it_runs_in_double_precision() -> None:
    single, double = small.model(), copy.deepcopy(small.model()).to(torch.float64)
    a, b = single(IMAGES), double(IMAGES)
    assert (double.dtype, b.logits.dtype) == (torch.float64, torch.float64)
    assert float((a.predictions == b.predictions).double().mean()) > 0.9
    assert float((a.exit_step == b.exit_step).double().mean()) > 0.9


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_it_runs_in_half_precision(dtype: torch.dtype) -> None:
    model = copy.deepcopy(small.model()).to(dtype)
    trace, exact = model(IMAGES), small.model()(IMAGES)
    assert trace.logits.dtype == dtype
    assert trace.exit_step.dtype == torch.int64
    assert float((trace.predictions == exact.predictions).double().mean()) > 0.8


@pytest.mark.parametrize(("dtype", "most"), [(torch.bfloat16, 256), (torch.float16, 2048)])
def test_a_type_that_cannot_count_the_timesteps_is_refused(dtype: torch.dtype, most: int) -> None:
    longest = torch.full((), most, dtype=dtype)
    assert longest - 1 + 1 == longest and longest + 1 == longest  # the type counts so far, and no further
    program = small.model().program
    SpikingModel(copy.deepcopy(program), most, FixedPolicy(most)).to(dtype)
    with pytest.raises(InputError, match=f"counts timesteps up to {most} and the model runs for {most + 1}"):
        SpikingModel(copy.deepcopy(program), most + 1, FixedPolicy(most)).to(dtype)


def test_a_copy_is_whole_and_independent() -> None:
    model = small.model()
    twin = copy.deepcopy(model)
    wanted = model(IMAGES)
    assert torch.equal(twin(IMAGES).logits, wanted.logits)
    assert twin.program.graph_module is twin.step_graph
    assert twin.program.stem is twin.stem
    with torch.no_grad():
        for tensor in [*twin.parameters(), *twin.buffers()]:
            tensor.zero_()
    assert torch.equal(model(IMAGES).logits, wanted.logits)


def test_state_dict_goes_out_and_in() -> None:
    model, other = small.model(), copy.deepcopy(small.model())
    saved = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        for tensor in [*other.parameters(), *other.buffers()]:
            tensor.add_(1)
    other.load_state_dict(saved)
    assert torch.equal(other(IMAGES).logits, model(IMAGES).logits)


def test_nothing_changes_while_it_runs() -> None:
    model = small.model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    traces = [model(IMAGES), model(IMAGES[:1]), model(IMAGES)]
    assert torch.equal(traces[0].logits, traces[2].logits)
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not model.training


def test_a_step_does_not_touch_what_it_is_given() -> None:
    model = small.model()
    drives, state = model.drive(IMAGES), model.initial_state(40)
    for _ in range(3):
        kept = [value.clone() for value in (*drives, *state.values())]
        _, _, following = model.step(drives, state)
        assert all(torch.equal(a, b) for a, b in zip((*drives, *state.values()), kept, strict=True))
        state = following
    assert state["clock"].tolist() == [3.0] * 40


def test_it_knows_its_layers_and_where_it_is() -> None:
    model = small.model()
    assert [layer.name for layer in model.layers] == ["relu", "relu_1"]
    assert all(isinstance(layer.neuron, SignedNeuron) for layer in model.layers)
    assert (model.device, model.dtype) == (torch.device("cpu"), torch.float32)


def test_what_does_not_fit_is_refused() -> None:
    program = small.model().program
    with pytest.raises(InputError, match="reads 'entropy' but the probe computes 'confidence'"):
        SpikingModel(program, 4, ThresholdPolicy("entropy", (0.5,)))
    with pytest.raises(InputError, match="timesteps of a spiking model must be at least 1"):
        SpikingModel(program, 0, ThresholdPolicy("confidence", (0.5,)))
    for wrong in (small.ann_program(), small.spiking_program()):
        with pytest.raises(InputError, match="stem and its exit probe"):
            SpikingModel(wrong, 4, ThresholdPolicy("confidence", (0.5,)))
