"""Easy and hard examples as pictures: who left first, who stayed to the end."""

import base64
import io

import torch
from PIL import Image
from torch import Tensor

from seenn_convert.artifact.schema.evaluation import Example, Examples
from seenn_convert.data.samples import Samples
from seenn_convert.runtime.early_exit import ExitTrace

COUNT = 8


def examples(trace: ExitTrace, data: Samples, frames: int | None = None) -> Examples:
    """Return up to eight images that left first and eight that left last, with their pictures; other data has none.

    The picture of a recording of so many ``frames`` is the mean of those that the network has seen.
    """
    if data.original(0).ndim != (3 if frames is None else 4):
        return Examples()
    order = torch.argsort(trace.exit_step.double() - trace.confidence.double().clamp(0, 1).cpu(), stable=True).tolist()
    count = min(COUNT, len(order) // 2)
    return Examples(
        easy=tuple(_example(index, trace, data) for index in order[:count]),
        hard=tuple(_example(index, trace, data) for index in reversed(order[len(order) - count :])),
    )


def _example(index: int, trace: ExitTrace, data: Samples) -> Example:
    labels = data.labels
    original = data.original(index)
    return Example(
        image=picture(_channels_first(original, data) if original.ndim == 3 else _seen(original, trace, index)),
        label=None if labels is None else int(labels[index]),
        prediction=int(trace.predictions[index]),
        exit_step=int(trace.exit_step[index]),
        confidence=float(trace.confidence[index]),
    )


def _channels_first(image: Tensor, data: Samples) -> Tensor:
    """Return an image as it was read as ``(C, H, W)``; one that came preprocessed lies as the model takes it."""
    moved = image.is_floating_point() and data.preprocessing.layout == "channels_last"
    return image.movedim(-1, 0) if moved else image


def _seen(frames: Tensor, trace: ExitTrace, index: int) -> Tensor:
    """Return the mean ``(C, H, W)`` of the frames ``(N, C, H, W)`` that the network has seen when it stopped."""
    return frames[: int(trace.exit_step[index])].float().mean(dim=0)


def picture(pixels: Tensor, side: int = 96) -> str:
    """Return ``pixels`` ``(C, H, W)``, uint8 or of any range, as a PNG data URL of at most ``side`` pixels a side.

    Of two channels, as events have, the first is blue and the second red.
    """
    if pixels.is_floating_point():
        low, high = pixels.min(), pixels.max()
        pixels = ((pixels - low) / (high - low).clamp(min=1e-12) * 255).to(torch.uint8)
    if pixels.shape[0] == 2:
        pixels = torch.stack([pixels[1], torch.zeros_like(pixels[0]), pixels[0]])
    array = pixels[:3] if pixels.shape[0] >= 3 else pixels[:1].expand(3, -1, -1)
    image = Image.fromarray(array.permute(1, 2, 0).contiguous().numpy())
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
