"""The geometry of a sliding window: kernel, stride, dilation and padding of convolutions and pools."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from seenn_convert.frontend.onnx.operators.base import OnnxNode

_PADDINGS = {1: nn.ConstantPad1d, 2: nn.ConstantPad2d, 3: nn.ConstantPad3d}


@dataclass(frozen=True)
class Window:
    """A sliding window, one number per spatial dimension; ``begin`` and ``end`` are the padding on either side."""

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """How far one window extends, dilation included."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def is_symmetric(self) -> bool:
        """Whether a PyTorch module can apply the padding itself."""
        return self.begin == self.end and min(self.begin) >= 0

    def output_size(self, ceil_mode: bool) -> tuple[int, ...]:
        """Return the number of windows; with ``ceil_mode`` the last may be partial but must start before the end."""
        counts = []
        for size, reach, stride, begin, end in zip(
            self.size, self.reach, self.stride, self.begin, self.end, strict=True
        ):
            room = size + begin + end - reach
            count = (-(-room // stride) if ceil_mode else room // stride) + 1
            starts_past_the_end = ceil_mode and (count - 1) * stride >= size + begin
            counts.append(count - 1 if starts_past_the_end else count)
        return tuple(counts)

    def end_for(self, output_size: Sequence[int]) -> tuple[int, ...]:
        """Return the padding at the end that gives exactly ``output_size`` whole windows."""
        zipped = zip(output_size, self.stride, self.reach, self.size, self.begin, strict=True)
        return tuple((count - 1) * stride + reach - size - begin for count, stride, reach, size, begin in zipped)


def window_of(node: OnnxNode, kernel: Sequence[int]) -> Window:
    """Read the window of a convolution or a pool over input 0; ``auto_pad`` becomes numbers.

    Raises:
        UnsupportedOperatorError: If the node is not 1-d, 2-d or 3-d.
    """
    size = spatial_size(node)
    ones = [1] * len(size)
    stride = tuple(node.integers("strides") or ones)
    dilation = tuple(node.integers("dilations") or ones)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    auto_pad = node.text("auto_pad", "NOTSET")
    if auto_pad == "NOTSET":
        pads = node.integers("pads") or [0] * (2 * len(size))
        begin, end = pads[: len(size)], pads[len(size) :]
    elif auto_pad == "VALID":
        begin, end = [0] * len(size), [0] * len(size)
    elif auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        totals = [max((-(-n // s) - 1) * s + r - n, 0) for n, s, r in zip(size, stride, reach, strict=True)]
        begin, end = split_padding(totals, extra_at_end=auto_pad == "SAME_UPPER")
    else:
        raise node.refuse(f"auto_pad '{auto_pad}' is not known")
    return Window(size, tuple(kernel), stride, dilation, tuple(begin), tuple(end))


def spatial_size(node: OnnxNode) -> tuple[int, ...]:
    """Return the size of input 0 after batch and channels, refusing all but one to three such dimensions."""
    image = node.activation(0)
    if image.rank not in (3, 4, 5) or image.batch_axis not in (0, None):
        raise node.refuse(
            f"its input has shape {image.shape_at(1)}, not (batch, channels, ...) with one to three spatial dimensions"
        )
    return image.shapes[0][2:]


def split_padding(totals: Sequence[int], extra_at_end: bool) -> tuple[list[int], list[int]]:
    """Divide a total padding between the two sides."""
    less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return (less, more) if extra_at_end else (more, less)


def padded(module: nn.Module, begin: Sequence[int], end: Sequence[int], value: float) -> nn.Module:
    """Return the module behind an explicit constant padding (a crop where negative), or as it is if there is none."""
    if not any(begin) and not any(end):
        return module
    pads = [pad for pair in zip(reversed(begin), reversed(end), strict=True) for pad in pair]
    return nn.Sequential(_PADDINGS[len(begin)](tuple(pads), value), module)  # type: ignore[arg-type]  # 1-d takes two
