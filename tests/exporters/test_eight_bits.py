"""Weights in 8 bits are whole numbers times a scale, exactly, and a file stores them as such."""

import onnx
import pytest
import small_artifacts as small
import torch
from onnx import TensorProto
from torch import Tensor, nn

import seenn_convert as sc
from seenn_convert.exporters.eight_bits import WEIGHTED, channel_axis, on_grid, rounded, whole_numbers
from seenn_convert.exporters.onnx.split import OnnxExporter
from seenn_convert.ir.operators import PaddedLinear

LAYERS = {
    "Conv1d": nn.Conv1d(3, 4, 3),
    "Conv2d": nn.Conv2d(4, 6, 3, groups=2),
    "ConvTranspose2d": nn.ConvTranspose2d(4, 6, 3, groups=2),
    "Linear": nn.Linear(7, 5),
    "PaddedLinear": PaddedLinear(5, 3),
}


def spread(module: nn.Module) -> Tensor:
    """Return weights of very different sizes from channel to channel, one channel all 0."""
    weight = module.weight.detach()
    sizes = torch.logspace(-6, 3, weight.shape[channel_axis(module)])
    sizes[1] = 0
    shape = [1] * weight.dim()
    shape[channel_axis(module)] = -1
    return weight * sizes.reshape(shape)


@pytest.mark.parametrize("module", LAYERS.values(), ids=LAYERS)
def test_a_rounded_weight_is_at_most_half_a_step_away(module: nn.Module) -> None:
    """A step is the largest weight of the output channel over 127, up to the 17 bits of a scale; twice is once."""
    weight, axis = spread(module), channel_axis(module)
    others = [place for place in range(weight.dim()) if place != axis]
    step = weight.abs().amax(dim=others, keepdim=True) / 127
    found = on_grid(weight, axis)

    assert bool(((found - weight).abs() <= 0.5 * step * (1 + 2**-15)).all())
    assert torch.equal(on_grid(found, axis), found)


@pytest.mark.parametrize("module", LAYERS.values(), ids=LAYERS)
def test_whole_numbers_and_scales_are_found_again(module: nn.Module) -> None:
    weight, axis = on_grid(spread(module), channel_axis(module)), channel_axis(module)
    found = whole_numbers(weight, axis)
    assert found is not None
    numbers, scale = found

    assert numbers.dtype == torch.int8 and int(numbers.abs().max()) == 127
    assert scale.numel() == weight.shape[axis] and torch.equal(numbers.float() * scale, weight)
    assert whole_numbers(spread(module), axis) is None


def test_a_network_is_rounded_and_the_one_before_is_left_alone() -> None:
    """Stem and step hold rounded weights; what was certified was another network."""
    artifact = small.artifact()
    before = [one.clone() for one in artifact.snn.graph_module.parameters()]
    after = rounded(artifact)
    layers = [
        one
        for graph in (after.snn.stem, after.snn.graph_module)
        for one in graph.modules()
        if isinstance(one, WEIGHTED)
    ]

    assert after.certificate is None and after.policy == artifact.policy
    assert len(layers) >= 2 and all(whole_numbers(one.weight, 0) is not None for one in layers)
    assert all(map(torch.equal, before, artifact.snn.graph_module.parameters()))


def test_the_file_holds_8_bit_numbers_and_computes_the_same(tmp_path) -> None:
    """The weights are int8 in the file, none of them float; onnxruntime computes what the rounded network does."""
    artifact = rounded(small.artifact())
    OnnxExporter().write(artifact, tmp_path)
    found = OnnxExporter().verify(tmp_path, artifact, small.draw(40, 5)[0])
    assert (found.answers_differ, found.exits_differ) == (0, 0) and found.largest_error < 1e-6

    stored = [one for part in ("stem", "step") for one in onnx.load(tmp_path / f"{part}.onnx").graph.initializer]
    weights = {(5, 1, 3, 3), (5, 5, 3, 3), (3, 20)}
    kinds = {tuple(one.dims): one.data_type for one in stored if tuple(one.dims) in weights}
    assert kinds == dict.fromkeys(weights, TensorProto.INT8)


class Wide(nn.Module):
    """A network whose inner layers are large enough for integer kernels, behind neurons of several kinds of threshold."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 128, 3, stride=2), nn.Conv2d(128, 128, 3, padding=1, stride=2)
        self.linear1, self.linear2, self.head = nn.Linear(512, 256), nn.Linear(256, 256), nn.Linear(256, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2(self.conv1(x).relu()).relu().flatten(1)
        return self.head(self.linear2(self.linear1(x).relu()).relu())


@pytest.mark.parametrize("neuron", ["signed", "if", "multilevel"])
def test_large_layers_read_spikes_by_integer_kernels(neuron: str, tmp_path) -> None:
    """Spikes of either sign and of several sizes: from the same state the sums are those of PyTorch up to rounding."""
    torch.manual_seed(0)
    images = torch.randn(24, 1, 8, 8)
    options = sc.Options(timesteps=3, neuron=neuron, calibration="fast", front="none")
    artifact = rounded(sc.convert(Wide().eval(), images, options))
    OnnxExporter().write(artifact, tmp_path)
    found = OnnxExporter().verify(tmp_path, artifact, images)
    kinds = [node.op_type for node in onnx.load(tmp_path / "step.onnx").graph.node]

    assert kinds.count("ConvInteger") == kinds.count("MatMulInteger") == 1
    assert found.largest_error < 1e-5 and found.answers_differ <= found.flipped_rows
    again = rounded(artifact).snn.graph_module.parameters()
    for one, other in zip(artifact.snn.graph_module.parameters(), again, strict=True):
        assert torch.equal(one, other)
