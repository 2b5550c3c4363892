"""What is done to pixels before a model sees them: resize, centre crop, normalisation; a value that survives JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import accumulate
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from seenn_convert.choices import is_whole
from seenn_convert.data.events import EventFrames, events_from_json
from seenn_convert.data.foreign_transforms import read_timm, read_torchvision
from seenn_convert.errors import InputError

Interpolation = Literal["bilinear", "bicubic", "nearest"]
INTERPOLATIONS: tuple[Interpolation, ...] = get_args(Interpolation)

ImageLayout = Literal["channels_first", "channels_last", "no_channels", "flat"]
"""How an image lies in the model's input: ``(C, H, W)``, ``(H, W, C)``, or, if it is grey, ``(H, W)`` or one row."""

LAYOUTS: tuple[ImageLayout, ...] = get_args(ImageLayout)

SINGLE = torch.finfo(torch.float32)
"""Pixels are normalised in single precision, so mean and std have to be numbers of it."""

MOST_RESIZED = 2**24
"""Pixels of a resized image at most: a narrow strip whose shorter side grows would fill the memory."""


@dataclass(frozen=True)
class Preprocessing:
    """Resize the shorter side, crop the centre, then subtract ``mean`` and divide by ``std``; None leaves a step out.

    Sizes follow torchvision (``Resize``, ``CenterCrop``, ``Normalize``). Resizing uses Pillow's filters, antialiased,
    on float pixels, so it differs from Pillow on 8-bit images by rounding, about 1/255 at most.

    Args:
        resize: New length of the shorter side in pixels; the aspect ratio is kept.
        crop: Height and width in pixels of the square cut from the centre.
        mean: One value per channel or one for all, in units of pixels scaled to [0, 1].
        std: As ``mean``, positive.
        interpolation: Filter of the resize.
        layout: How the result lies in the model's input; ``convert`` finds it from the model.
        events: How the events of recordings become frames; the counts are the model's input as they are.
        counts: Whether inputs are numbers that are no pixels, such as counts: bytes (``uint8``) are then refused unless
            they are images, since they would be divided by 255. ``convert`` and ``adopt`` find it from their data.

    Raises:
        InputError: If a size is not a whole positive number, or a value is not finite, or a ``mean`` is for pixels of
            another range, or a ``std`` is not positive, or the filter or the layout is unknown.
    """

    resize: int | None = None
    crop: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    interpolation: Interpolation = "bilinear"
    layout: ImageLayout = "channels_first"
    events: EventFrames | None = None
    counts: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        """Check every field, so that a value that exists can be applied."""
        _check_size("resize", self.resize)
        _check_size("crop", self.crop)
        _check_values("mean", self.mean)
        _check_values("std", self.std)
        _check_scale(self.mean, self.std)
        if self.std is not None and min(self.std) < SINGLE.tiny:
            raise InputError(f"preprocessing: std must be positive, got {list(self.std)}; give the spread of a channel")
        _check_word("interpolation", self.interpolation, INTERPOLATIONS)
        _check_word("layout", self.layout, LAYOUTS)
        if not isinstance(self.counts, bool):
            raise InputError(f"preprocessing: counts must be true or false, got {self.counts!r}")
        if not isinstance(self.events, EventFrames | None):
            raise InputError(f"preprocessing: events must be EventFrames, such as EventFrames(10), got {self.events!r}")

    def apply(self, pixels: Tensor) -> Tensor:
        """Return the images as the model takes them; the input stays as it is.

        Args:
            pixels: ``(B, C, H, W)``, floating point in [0, 1]. Numbers with other axes, such as the voxels of volumes,
                are only normalised: their second axis counts as the channels, and they keep their shape.

        Returns:
            The normalised images of the same dtype, ``(B, C, H', W')`` or as ``layout`` says.

        Raises:
            InputError: If the shape or dtype is another, the crop is larger than the (resized) image, ``mean`` or
                ``std`` has neither one value nor one per channel, or an image in colour is to lie without channels.
        """
        if pixels.ndim in (1, 3) or not pixels.is_floating_point():
            shape = tuple(pixels.shape)
            raise InputError(f"preprocessing: needs floating-point (B, C, H, W) pixels, got {pixels.dtype} {shape}")
        if self.resize is not None or self.crop is not None:
            _check_image(pixels)
        if self.resize is not None:
            pixels = _resize_shorter_side(pixels, self.resize, self.interpolation)
        if self.crop is not None:
            pixels = _crop_centre(pixels, self.crop)
        pixels = self._normalised(pixels)
        return (_laid_out(pixels, self.layout) if pixels.ndim == 4 else pixels).contiguous()

    def _normalised(self, pixels: Tensor) -> Tensor:
        """Return the images less ``mean``, over ``std``; numbers of 0 to 255 are whole again if they were."""
        if self.mean is not None:
            pixels = pixels - _per_channel("mean", self.mean, pixels)
        if self.std is None:
            return pixels
        std = _per_channel("std", self.std, pixels)
        return pixels * 255 if set(self.std) == {1 / 255} else pixels / std

    def to_json(self) -> dict[str, object]:
        """Return the fields as plain JSON values; ``from_json`` reads them back."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {name: value for name, value in plain.items() if name not in ("events", "counts") or value}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> "Preprocessing":
        """Read what ``to_json`` wrote; a key that is left out has its default.

        Raises:
            InputError: If a key is unknown or a value has the wrong type.
        """
        if not isinstance(data, Mapping):
            raise InputError(f"preprocessing: expected a JSON object, got {type(data).__name__}")
        known = [one.name for one in fields(cls)]
        unknown = [str(key) for key in data if key not in known]
        if unknown:
            raise InputError(f"preprocessing: unknown key {', '.join(sorted(unknown))}; use {', '.join(known)}")
        values: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in data.items()}
        if isinstance(values.get("events"), Mapping):
            values["events"] = events_from_json(values["events"])
        return cls(**values)

    @classmethod
    def from_torchvision(cls, transforms: object) -> "Preprocessing":
        """Read ``weights.transforms()``, or a ``Compose`` of ``Resize``, ``CenterCrop``, ``ToTensor``, ``Normalize``.

        Raises:
            InputError: It does something else; says what.
        """
        return cls(**read_torchvision(transforms))

    @classmethod
    def from_timm(cls, config: object) -> "Preprocessing":
        """Read ``model.pretrained_cfg``, ``timm.get_pretrained_cfg(name)`` or ``timm.data.resolve_data_config(...)``.

        Raises:
            InputError: The images are not square, not cropped at the centre, or resized by another filter.
        """
        return cls(**read_timm(config))


def _check_size(name: str, size: object) -> None:
    if size is None or (is_whole(size) and size >= 1):
        return
    raise InputError(f"preprocessing: {name} must be a whole number of pixels, 1 or more, got {size!r}")


def _check_values(name: str, values: object) -> None:
    if values is None or (isinstance(values, tuple) and values and all(_is_finite_number(value) for value in values)):
        return
    shown = list(values) if isinstance(values, tuple) else values
    raise InputError(f"preprocessing: {name} must be a list of finite numbers, one per channel, got {shown!r}")


def _check_scale(mean: tuple[float, ...] | None, std: tuple[float, ...] | None) -> None:
    """Raise InputError for a mean of pixels that were not scaled; says what to give."""
    if mean is None or max(mean) <= 1:
        return
    scaled = " ".join(
        f"--{name} " + ",".join(f"{value / 255:.4g}" for value in values)
        for name, values in (("mean", mean), ("std", std))
        if values is not None and max(values) > 1
    )
    raise InputError(
        f"preprocessing: pixels are scaled to 0..1 first, so mean must be at most 1, got {list(mean)}; divide what is "
        f"meant for pixels of 0..255 by 255: {scaled}"
    )


def _is_finite_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return abs(value) <= SINGLE.max
    except OverflowError:  # a whole number beyond the largest float
        return False


def _check_word(name: str, word: object, known: tuple[str, ...]) -> None:
    if not isinstance(word, str) or word not in known:
        raise InputError(f"preprocessing: {name} must be one of {', '.join(known)}, got {word!r}")


def _check_image(pixels: Tensor) -> None:
    if pixels.ndim != 4:
        raise InputError(
            f"numbers of shape {tuple(pixels.shape[1:])} are no image and cannot be resized or cropped; leave out "
            "--resize and --crop"
        )


def _laid_out(pixels: Tensor, layout: ImageLayout) -> Tensor:
    """Return ``(B, C, H, W)`` with its axes as ``layout`` has them."""
    if layout == "channels_first":
        return pixels
    if layout == "channels_last":
        return pixels.movedim(1, -1)
    if pixels.shape[1] != 1:
        raise InputError(
            f"an image of {pixels.shape[1]} channels for a model whose input has no axis of channels; give grey images"
        )
    return pixels.squeeze(1) if layout == "no_channels" else pixels.flatten(1)


def _resize_shorter_side(pixels: Tensor, size: int, interpolation: Interpolation) -> Tensor:
    """Resize ``(B, C, H, W)``; the longer side is rounded down, as torchvision does."""
    height, width = pixels.shape[-2:]
    shorter = min(height, width)
    if shorter == size:
        return pixels
    target = [size * height // shorter, size * width // shorter]
    if target[0] * target[1] > MOST_RESIZED:
        raise InputError(
            f"an image of {height} x {width} pixels would become one of {target[0]} x {target[1]}, more than "
            f"{MOST_RESIZED} pixels; crop it yourself, or give a smaller --resize"
        )
    if interpolation == "nearest":
        rows, columns = (_nearest(*lengths) for lengths in zip((height, width), target, strict=True))
        return pixels[..., rows, :][..., columns]
    if interpolation == "bilinear":
        return F.interpolate(pixels, size=target, mode="bilinear", align_corners=False, antialias=True)
    for stage in ([height, target[1]], target):  # overshoot is clipped after rows and after columns, as Pillow does
        pixels = F.interpolate(pixels, size=stage, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)
    return pixels


def _nearest(length: int, target: int) -> list[int]:
    """Return which of ``length`` pixels each of ``target`` shows; steps are summed in doubles, as in Pillow."""
    step = length / target
    return [min(int(position), length - 1) for position in accumulate([step] * (target - 1), initial=step / 2)]


def _crop_centre(pixels: Tensor, size: int) -> Tensor:
    height, width = pixels.shape[-2:]
    if size > min(height, width):
        raise InputError(
            f"crop {size} is larger than the image of {height} x {width} pixels; give a smaller crop or --resize {size}"
        )
    # round, not floor, and halves to even: torchvision places the window so
    top, left = round((height - size) / 2), round((width - size) / 2)
    return pixels[..., top : top + size, left : left + size]


def _per_channel(name: str, values: tuple[float, ...], pixels: Tensor) -> Tensor:
    """Return ``(C, 1, 1)``, or ones for one value, to broadcast over ``pixels`` ``(B, C, H, W)`` or other axes."""
    channels = pixels.shape[1]
    if len(values) not in (1, channels):
        raise InputError(
            f"{name} has {len(values)} values and the image {channels} channel{'s' if channels > 1 else ''}; "
            "give one value per channel or one for all"
        )
    return torch.tensor(values, dtype=pixels.dtype, device=pixels.device).reshape(-1, *[1] * (pixels.ndim - 2))
