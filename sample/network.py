"""The sample network: a small residual convolutional network for 28 x 28 grey-scale images."""

from __future__ import annotations

import torch
from torch import nn

CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
CLASSES = len(CLASS_NAMES)
IMAGE_SIZE = 28
MEAN = 0.2860
STD = 0.3530
WIDTHS = (24, 48, 96)
DROPOUT = 0.1


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm, added to a shortcut, ReLU after the sum.

    The shortcut is the identity where the channel count stays, otherwise a 1 x 1 convolution
    with batch norm. Dropout follows each ReLU. Height and width stay as they are:
    (N, inputs, H, W) -> (N, outputs, H, W).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        """Make a block from `inputs` to `outputs` channels."""
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.dropout1 = nn.Dropout(DROPOUT)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.relu2 = nn.ReLU()
        self.dropout2 = nn.Dropout(DROPOUT)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        branch = self.bn2(self.conv2(self.dropout1(self.relu1(self.bn1(self.conv1(x))))))
        result: torch.Tensor = self.dropout2(self.relu2(branch + self.shortcut(x)))
        return result


class SampleNetwork(nn.Module):
    """Stem, max pool, residual block, max pool, residual block, global average pool, linear.

    Input: (N, 1, 28, 28) float, pixels / 255 with `MEAN` taken off and divided by `STD`.
    Output: (N, 10) logits. Five ReLU layers in all.
    """

    def __init__(self, widths: tuple[int, int, int] = WIDTHS) -> None:
        """Make the network with these channel counts: stem, first block, second block."""
        super().__init__()
        first, second, third = widths
        self.stem = nn.Conv2d(1, first, 3, padding=1, bias=False)
        self.stem_bn = nn.BatchNorm2d(first)
        self.stem_relu = nn.ReLU()
        self.stem_dropout = nn.Dropout(DROPOUT)
        self.pool1 = nn.MaxPool2d(2)
        self.block1 = ResidualBlock(first, second)
        self.pool2 = nn.MaxPool2d(2)
        self.block2 = ResidualBlock(second, third)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(third, CLASSES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map normalised images (N, 1, 28, 28) to logits (N, 10)."""
        x = self.pool1(self.stem_dropout(self.stem_relu(self.stem_bn(self.stem(image)))))
        x = self.pool2(self.block1(x))
        x = self.block2(x)
        logits: torch.Tensor = self.classifier(self.flatten(self.average(x)))
        return logits
