"""Small networks, each with what one part of the compiler has to handle; seeded, in eval mode, batch norm warmed.

A toy is an ordinary module that knows its ``input_shape``.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

IMAGE = (3, 8, 8)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class Toy(nn.Module):
    """A module whose forward is a function of itself and the image."""

    def __init__(self, body: Callable[[Any, Tensor], Any], input_shape: tuple[int, ...], modules: dict[str, nn.Module]):
        super().__init__()
        self.body, self.input_shape = body, input_shape
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, image: Tensor) -> Any:
        return self.body(self, image)


def toy(body: Callable[[Any, Tensor], Any], input_shape: tuple[int, ...] = IMAGE, **modules: nn.Module) -> Toy:
    """Return a toy in eval mode; parameters stay as they are, batch norms are warmed."""
    return warm(Toy(body, input_shape, modules)).eval()


def warm(module: Any) -> Any:
    """Give every batch norm statistics and parameters that are neither 0 nor 1."""
    generator = torch.Generator().manual_seed(7)
    for child in module.modules():
        if isinstance(child, BATCH_NORMS):
            for tensor, low, high in ((child.running_mean, -0.5, 0.5), (child.running_var, 0.5, 2.0),
                                      (child.weight, 0.5, 1.5), (child.bias, -0.5, 0.5)):  # fmt: skip
                if tensor is not None:
                    tensor.data.uniform_(low, high, generator=generator)
    return module


def conv(inputs: int = 3, outputs: int = 4, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, **{"padding": 1, **options})


def conv_bn_relu() -> Toy:
    def body(m: Any, x: Tensor) -> Tensor:
        return m.head(m.relu(m.bn(m.conv(x))).mean((2, 3)))

    return toy(body, conv=conv(bias=False), bn=nn.BatchNorm2d(4), relu=nn.ReLU(), head=nn.Linear(4, 5))


def residual() -> Toy:
    """Two blocks with a skip connection; ReLU and max pooling are one module each, called several times."""

    def body(m: Any, x: Tensor) -> Tensor:
        x = m.pool(m.relu(m.stem(x)))
        y = m.relu(m.bn1(m.conv1(x)))
        x = m.relu(m.bn2(m.conv2(y)) + x)
        x = m.relu(m.down(x) + m.conv3(m.pool(x)))
        return m.head(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))

    return toy(
        body, stem=conv(), pool=nn.MaxPool2d(3, 2, 1), relu=nn.ReLU(), conv1=conv(4), bn1=nn.BatchNorm2d(4),
        conv2=conv(4), bn2=nn.BatchNorm2d(4), conv3=conv(4, 6), down=nn.Conv2d(4, 6, 1, stride=2),
        head=nn.Linear(6, 5),
    )  # fmt: skip


def pool_between_neurons() -> Toy:
    """A max pooling that stays behind neurons: the ReLU before it has another user."""

    def body(m: Any, x: Tensor) -> Tensor:
        x = F.relu(m.first(x))
        return m.head((F.max_pool2d(x, 2) + F.avg_pool2d(x, 2)).flatten(1))

    return toy(body, first=conv(), head=nn.Linear(64, 5))


def leaky(slope: float = 0.2) -> Toy:
    def body(m: Any, x: Tensor) -> Tensor:
        return m.head(m.pool(m.act(m.conv(x))).flatten(1))

    return toy(body, conv=conv(), act=nn.LeakyReLU(slope), pool=nn.MaxPool2d(2), head=nn.Linear(64, 5))


def clipped() -> Toy:
    """ReLU6, Hardtanh from 0 and clamp from 0."""

    def body(m: Any, x: Tensor) -> Tensor:
        x = F.hardtanh(m.second(m.six(m.first(x))), 0.0, 0.5).clamp(0, 0.4)
        return m.head(x.flatten(1))

    return toy(body, first=conv(), six=nn.ReLU6(), second=conv(4), head=nn.Linear(256, 5))


def depthwise() -> Toy:
    def body(m: Any, x: Tensor) -> Tensor:
        x = F.relu6(m.bn(m.point(x)))
        x = F.relu6(m.bn_depth(m.depth(x)))
        return m.head(m.dilated(x).mean([2, 3]))

    return toy(
        body, point=nn.Conv2d(3, 6, 1, bias=False), bn=nn.BatchNorm2d(6), depth=conv(6, 6, groups=6, bias=False),
        bn_depth=nn.BatchNorm2d(6), dilated=conv(6, 8, dilation=2, padding=2, stride=2), head=nn.Linear(8, 5),
    )  # fmt: skip


def assembly() -> Toy:
    """Concatenation, chunks, slices with open and negative ends, padding, transposition."""

    def body(m: Any, x: Tensor) -> Tensor:
        x = F.relu(m.conv(x))
        left, right = x.chunk(2, dim=1)
        x = torch.cat([left, right, x[:, -3:-1]], dim=-3)
        x = F.pad(x, (1, 0, 0, 2), value=0.5)[:, 1:, ::2, -6:]
        parts = torch.split(x, [2, 3], 1)
        x = torch.cat([parts[1], parts[0].narrow(1, -1, 1)], 1).transpose(1, 3)
        return m.head(x.reshape(x.shape[0], -1))

    return toy(body, conv=conv(), head=nn.Linear(120, 5))


def standing_batch_norm() -> Toy:
    """Batch norm on the image, behind a sum, and behind a convolution that is used twice."""

    def body(m: Any, x: Tensor) -> Tensor:
        x = m.conv(m.on_image(x))
        y = F.relu(m.pre(x))
        return m.head(F.relu(m.behind_sum(x + y)).flatten(1))

    return toy(
        body, on_image=nn.BatchNorm2d(3), conv=conv(), pre=nn.BatchNorm2d(4), behind_sum=nn.BatchNorm2d(4),
        head=nn.Linear(256, 5),
    )  # fmt: skip


def perceptron() -> Toy:
    def body(m: Any, x: Tensor) -> Tensor:
        return m.head(m.relu(m.drop(m.bn(m.first(x)))))

    return toy(body, (7,), first=nn.Linear(7, 6), bn=nn.BatchNorm1d(6), drop=nn.Dropout(), relu=nn.ReLU(),
               head=nn.Linear(6, 5))  # fmt: skip


def signal() -> Toy:
    """A network over one axis."""

    def body(m: Any, x: Tensor) -> Tensor:
        x = F.max_pool1d(F.relu(m.bn(m.first(x))), 2)
        x = F.adaptive_avg_pool1d(F.avg_pool1d(F.relu(m.second(x)), 2), 2)
        return m.head(x.flatten(1))

    return toy(body, (2, 20), first=nn.Conv1d(2, 4, 3), bn=nn.BatchNorm1d(4), second=nn.Conv1d(4, 4, 3, padding="same"),
               head=nn.Linear(8, 5))  # fmt: skip


def tokens() -> Toy:
    """A linear layer on every token and a batch norm over the tokens: its channels are not the features."""

    def body(m: Any, x: Tensor) -> Tensor:
        return F.relu(m.bn(m.first(x))).mean(1)

    return toy(body, (4, 4), first=nn.Linear(4, 4), bn=nn.BatchNorm1d(4))


def adaptive() -> Toy:
    def body(m: Any, x: Tensor) -> Tensor:
        x = F.relu(m.conv(x))
        x = F.adaptive_avg_pool2d(F.adaptive_max_pool2d(x, (5, 4)), (2, 3))
        return m.head(x.flatten(1))

    return toy(body, conv=conv(), head=nn.Linear(24, 5))


def gamma() -> Toy:
    """A function that ONNX has no operator for."""
    return toy(lambda m, x: m.head(torch.lgamma(F.relu(m.conv(x)) + 1).flatten(1)), conv=conv(), head=nn.Linear(256, 5))


def arithmetic() -> Toy:
    """Constants added, subtracted, multiplied and divided, on either side."""

    def body(m: Any, x: Tensor) -> Tensor:
        x = 2 * x - 0.5
        x = F.relu(1 - m.conv(x) / 3 + m.shift.exp())
        x = torch.ones(4, 1, 1) * -x - torch.add(x, m.shift, alpha=2)
        return m.head(F.relu(-x).flatten(1))

    made = toy(body, conv=conv(), head=nn.Linear(256, 5))
    made.register_buffer("shift", torch.linspace(-1, 1, 4).reshape(1, 4, 1, 1))
    return made


def position_code() -> Toy:
    """Max pooling of the image itself, and a constant for every row, joined to what the neurons send."""

    def body(m: Any, x: Tensor) -> Tensor:
        features = m.relu(m.conv(m.pool(x))).mean((2, 3))
        return m.head(torch.cat([features, torch.ones(x.shape[0], 2)], 1))

    return toy(body, pool=nn.MaxPool2d(2), conv=conv(), relu=nn.ReLU(), head=nn.Linear(6, 5))


def relu_on_image() -> Toy:
    return toy(lambda m, x: m.head(F.relu(x).flatten(1)), head=nn.Linear(192, 5))


def relu_last() -> Toy:
    return toy(lambda m, x: F.relu(m.head(x.flatten(1))), head=nn.Linear(192, 5))


def no_relu() -> Toy:
    return toy(lambda m, x: m.head(m.conv(x).flatten(1)), conv=conv(), head=nn.Linear(256, 5))


def two_drives() -> Toy:
    """Two values that are the same at every timestep reach the neurons."""

    def body(m: Any, x: Tensor) -> Tensor:
        first, skip = m.first(x), m.skip(x)
        return m.head((F.relu(first) + skip).flatten(1))

    return toy(body, first=conv(), skip=conv(), head=nn.Linear(256, 5))


ALL: tuple[Callable[[], Toy], ...] = (
    conv_bn_relu, residual, pool_between_neurons, leaky, clipped, depthwise, assembly, standing_batch_norm, perceptron,
    signal, tokens, adaptive, arithmetic, relu_on_image, relu_last, no_relu, two_drives,
)  # fmt: skip
SPIKING = tuple(make for make in ALL if make is not no_relu)
