"""Files that onnxruntime's own tools quantised to 8 bits are read, in every format, and predict as onnxruntime does."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper
from onnx_models import Array, floats, node, write_model
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from torch import Tensor, nn

import seenn_convert as sc
from seenn_convert.errors import UnsupportedOperatorError
from seenn_convert.frontend.load import read_model
from seenn_convert.runtime.policies import FixedPolicy

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not

IMAGES = np.random.default_rng(1).random((32, 3, 8, 8), np.float32)


class Reader(CalibrationDataReader):
    """Hands the images to the quantisation tool one by one."""

    def __init__(self, images: Array = IMAGES[:16]) -> None:
        self.remaining = iter(images)

    def get_next(self) -> dict[str, Array] | None:
        image = next(self.remaining, None)
        return None if image is None else {"x": image[None]}


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A residual network with what quantisation tools treat in a way of its own."""
    nodes = [
        node("Conv", "x", "w", "b", outputs=("c",), pads=[1, 1, 1, 1]),
        node("Relu", "c", outputs=("r",)),
        node("Conv", "r", "v", "e", outputs=("d",), pads=[1, 1, 1, 1]),
        node("Add", "r", "d", outputs=("a",)),
        node("LeakyRelu", "a", outputs=("l",), alpha=0.1),
        node("MaxPool", "l", outputs=("m",), kernel_shape=[2, 2], strides=[2, 2]),
        node("Concat", "m", "m", outputs=("cc",), axis=1),
        node("GlobalAveragePool", "cc", outputs=("g",)),
        node("Flatten", "g", outputs=("f",)),
        node("Gemm", "f", "h", "k", outputs=("y",), transB=1),
    ]
    shapes = {"w": (6, 3, 3, 3), "v": (6, 6, 3, 3), "b": (6,), "e": (6,), "h": (4, 12), "k": (4,)}
    random = np.random.default_rng(0)
    weights = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return write_model(tmp_path, nodes, weights, image=(3, 8, 8), opset=13)


def check(path: Path) -> None:
    """The program is what the file computes, up to the rounding of activations to 8 bits, about 1 % of the largest."""
    expected = onnxruntime.InferenceSession(str(path)).run(None, {"x": IMAGES[:1]})[0]
    source = read_model(path)
    found = source.program(torch.from_numpy(IMAGES[:1])).numpy()

    assert source.check(torch.from_numpy(IMAGES)) <= 1e-5
    assert np.abs(found - expected).max() <= 0.03 * np.abs(expected).max()
    assert any("without that rounding" in note for note in source.notes)


@pytest.mark.parametrize(
    ("form", "per_channel", "activations", "weights"),
    [
        (QuantFormat.QDQ, False, QuantType.QUInt8, QuantType.QInt8),
        (QuantFormat.QDQ, True, QuantType.QInt8, QuantType.QInt8),
        (QuantFormat.QOperator, False, QuantType.QUInt8, QuantType.QUInt8),
        (QuantFormat.QOperator, True, QuantType.QUInt8, QuantType.QInt8),
    ],
)
def test_static_quantisation(
    plain: Path, form: QuantFormat, per_channel: bool, activations: QuantType, weights: QuantType
) -> None:
    path = plain.with_name("quantised.onnx")
    quantize_static(
        plain, path, Reader(), quant_format=form, per_channel=per_channel, activation_type=activations,
        weight_type=weights,
    )  # fmt: skip
    check(path)


def test_dynamic_quantisation(plain: Path) -> None:
    path = plain.with_name("quantised.onnx")
    quantize_dynamic(plain, path, weight_type=QuantType.QUInt8)
    check(path)


def test_weights_alone(tmp_path: Path) -> None:
    """A bias whose scale has the shape (1,), as the tools write it; then nothing is rounded, and nothing to say."""
    weights = {
        "q": np.arange(-54, 54, dtype=np.int8).reshape(4, 3, 3, 3), "s": np.float32(0.01), "z": np.int8(3),
        "i": np.array([9, -7, 5, 0], np.int32), "t": np.array([0.25], np.float32), "o": np.array([0], np.int32),
    }  # fmt: skip
    nodes = [
        node("DequantizeLinear", "q", "s", "z", outputs=("w",)),
        node("DequantizeLinear", "i", "t", "o", outputs=("b",)),
        node("Conv", "x", "w", "b", outputs=("c",)),
        node("Flatten", "c", outputs=("y",)),
    ]
    source = read_model(write_model(tmp_path, nodes, weights, opset=13))

    assert source.check(torch.rand(3, 3, 6, 8)) <= 1e-5 and source.notes == ()


def test_a_scale_that_is_not_the_one_a_tensor_was_quantised_with(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", "x", "s", outputs=("q",)),
        node("DequantizeLinear", "q", "t", outputs=("d",)),
        node("Flatten", "d", outputs=("y",)),
    ]
    path = write_model(tmp_path, nodes, {"s": np.float32(0.5), "t": np.float32(0.25)})
    with pytest.raises(
        UnsupportedOperatorError, match="was quantised with another scale or zero point; export the model before"
    ):
        read_model(path)


def test_weights_of_qonnx(tmp_path: Path) -> None:
    """Brevitas' Quant nodes: weights are rounded as they say, activations limited to what their bits can hold."""
    weight = floats(4, 3, 1, 1)
    domain = "qonnx.custom_op.general"
    options = {"domain": domain, "signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
    nodes = [
        node("Quant", "w", "s", "z", "bits", outputs=("wq",), **options),
        node("Conv", "x", "wq", outputs=("c",)),
        node("Quant", "c", "s", "z", "bits", outputs=("cq",), **{**options, "signed": 0, "narrow": 0}),
        node("Flatten", "cq", outputs=("y",)),
    ]
    constants = {"w": weight, "s": np.float32(0.25), "z": np.float32(0), "bits": np.float32(3)}
    path = write_model(tmp_path, nodes, constants)
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid(domain, 1))
    onnx.save(model, path)
    images = torch.randn(2, 3, 6, 8)
    rounded = torch.from_numpy(np.clip(np.rint(weight / 0.25), -3, 3) * 0.25).float()
    expected = torch.nn.functional.conv2d(images, rounded).clamp(0, 7 * 0.25).flatten(1)
    source = read_model(path)

    assert torch.allclose(source.program(images), expected, atol=1e-6) and source.check(images) <= 1e-5


def test_a_range_that_was_limited_before_image_and_logits_are_not_limited_again(tmp_path: Path) -> None:
    """Each limit becomes a layer of neurons: only the one that cuts something off stays."""
    nodes = [
        node("QuantizeLinear", "x", "s", outputs=("xq",)),
        node("DequantizeLinear", "xq", "s", outputs=("xd",)),
        node("Conv", "xd", "w", outputs=("c",)),
        node("QuantizeLinear", "c", "s", outputs=("cq",)),
        node("DequantizeLinear", "cq", "s", outputs=("cd",)),
        node("MaxPool", "cd", outputs=("m",), kernel_shape=[2, 2]),
        node("QuantizeLinear", "m", "s", outputs=("mq",)),
        node("DequantizeLinear", "mq", "s", outputs=("md",)),
        node("Flatten", "md", outputs=("f",)),
        node("MatMul", "f", "g", outputs=("l",)),
        node("QuantizeLinear", "l", "s", outputs=("lq",)),
        node("DequantizeLinear", "lq", "s"),
    ]
    weights = {"s": np.float32(0.01), "w": floats(4, 3, 3, 3), "g": floats(60, 5)}
    images = torch.randn(3, 3, 6, 8)
    kernel, matrix = torch.from_numpy(weights["w"]), torch.from_numpy(weights["g"])
    limited = torch.nn.functional.conv2d(images, kernel).clamp(0, 2.55)
    expected = torch.nn.functional.max_pool2d(limited, 2, 1).flatten(1) @ matrix
    source = read_model(write_model(tmp_path, nodes, weights))

    assert torch.allclose(source.program(images), expected, atol=1e-4) and source.check(images) <= 1e-5


def bottleneck(channels: int) -> nn.Module:
    """Widen, rectify, narrow without an activation: the sum behind it has both signs."""
    return nn.Sequential(
        nn.Conv2d(channels, 2 * channels, 1), nn.BatchNorm2d(2 * channels), nn.ReLU6(),
        nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels), nn.BatchNorm2d(2 * channels),
        nn.ReLU6(), nn.Conv2d(2 * channels, channels, 1), nn.BatchNorm2d(channels),
    )  # fmt: skip


class Bottlenecks(nn.Module):
    """A residual network with linear bottlenecks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU6())
        self.blocks = nn.ModuleList(bottleneck(6) for _ in range(3))
        self.head = nn.Sequential(
            nn.Conv2d(6, 12, 1), nn.BatchNorm2d(12), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


@pytest.fixture(scope="module")
def trained() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(1)
    labels = torch.randint(0, 4, (256,))
    images = (torch.rand(4, 1, 8, 8)[labels] + torch.rand(256, 1, 8, 8)) / 2
    model = Bottlenecks().train()
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(80):
        batch = torch.randint(0, 256, (64,))
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimiser.step()
    return model.eval(), images, labels


def agreement(model: nn.Module | Path, expected: Tensor, images: Tensor, labels: Tensor) -> float:
    """Return how many of the images are answered as expected after 8 timesteps."""
    spiking = sc.convert(model, (images, labels), sc.Options(timesteps=8, calibration="fast")).model()
    spiking.policy = FixedPolicy(8)
    return float((spiking(images).predictions == expected).float().mean())


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
def test_the_range_of_a_signed_result_makes_no_neurons(
    trained: tuple[nn.Module, Tensor, Tensor], form: QuantFormat, tmp_path: Path
) -> None:
    """Neurons there would spend their levels on a second rounding of each sum, and the answers would be lost."""
    model, images, labels = trained
    plain, path = tmp_path / "plain.onnx", tmp_path / "quantised.onnx"
    dynamic = {"x": {0: "N"}}
    torch.onnx.export(model, (images[:2],), str(plain), dynamo=False, input_names=["x"], dynamic_axes=dynamic)
    quantize_static(plain, path, Reader(images.numpy()), quant_format=form, activation_type=QuantType.QUInt8)
    quantised = onnxruntime.InferenceSession(str(path)).run(None, {"x": images.numpy()})[0]
    of_float = agreement(model, model(images).argmax(1), images, labels)
    of_file = agreement(path, torch.from_numpy(quantised).argmax(1), images, labels)

    assert of_float >= 0.95 and of_file >= of_float - 0.03
