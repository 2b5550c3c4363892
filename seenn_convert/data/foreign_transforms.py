"""Read what torchvision and timm know about a model's preprocessing, without importing either."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from seenn_convert.errors import InputError

PRESET = ("resize_size", "crop_size", "mean", "std", "interpolation")
"""Attributes of torchvision's ``ImageClassification``."""

ORDER = (("Resize",), ("CenterCrop",), ("ToTensor", "MaybeToTensor", "PILToTensor", "ToImage"),
         ("ConvertImageDtype", "ToDtype"), ("Normalize",))  # fmt: skip
"""The transforms of a ``Compose`` that can be read, in their order; each may be missing."""

IMAGENET_MEAN, IMAGENET_STD, CROP_SHARE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 0.875
"""What timm takes where a configuration is silent."""


def read_torchvision(transforms: object) -> dict[str, Any]:
    """Return the fields of a ``Preprocessing`` for a preset of weights or a ``Compose``.

    Raises:
        InputError: It cannot be expressed; says why.
    """
    if all(hasattr(transforms, name) for name in PRESET):
        resize, crop, mean, std, interpolation = (getattr(transforms, name) for name in PRESET)
        return {
            "resize": _side("resize_size", resize),
            "crop": _side("crop_size", crop),
            **_normalisation(mean, std),
            "interpolation": _interpolation(interpolation),
        }
    steps = getattr(transforms, "transforms", None)
    if not isinstance(steps, Sequence):
        raise InputError(
            f"preprocessing: {type(transforms).__name__} is neither weights.transforms() of a classifier nor a "
            "Compose; give resize, crop, mean and std"
        )
    return _read_steps(steps)


def _read_steps(steps: Sequence[object]) -> dict[str, Any]:
    """Return the fields for transforms that are applied one after the other."""
    fields: dict[str, Any] = {}
    reached = -1
    for step in steps:
        name = type(step).__name__
        place = next((place for place, names in enumerate(ORDER) if name in names), -1)
        if place <= reached:
            known = ", ".join(names[0] for names in ORDER)
            raise InputError(f"preprocessing: cannot read {name} at its place in a Compose, only {known} in this order")
        reached = place
        if name == "Resize":
            if getattr(step, "max_size", None) is not None:
                raise InputError("preprocessing: a Resize with max_size cannot be read; leave it out")
            fields["resize"] = _side("size of Resize", getattr(step, "size", None))
            fields["interpolation"] = _interpolation(getattr(step, "interpolation", "bilinear"))
        elif name == "CenterCrop":
            fields["crop"] = _side("size of CenterCrop", getattr(step, "size", None), square=True)
        elif name == "Normalize":
            fields |= _normalisation(getattr(step, "mean", None), getattr(step, "std", None))
        elif name == "ToDtype" and not getattr(step, "scale", False):
            raise InputError("preprocessing: ToDtype without scale=True leaves pixels in 0..255, which cannot be read")
    return fields


def read_timm(config: object) -> dict[str, Any]:
    """Return the fields of a ``Preprocessing`` for a configuration of timm; it resizes by size / crop_pct, then crops.

    Raises:
        InputError: It cannot be expressed; says why.
    """
    config = getattr(config, "pretrained_cfg", config)
    given = config if isinstance(config, Mapping) else getattr(config, "__dict__", {})
    if given.get("input_size") is None:
        raise InputError("preprocessing: no input_size, so this is no configuration of timm; give model.pretrained_cfg")
    mode = given.get("crop_mode") or "center"
    if mode != "center":
        raise InputError(
            f"preprocessing: crop_mode {mode} cannot be expressed, only center; preprocess the images yourself and "
            "give them as floating-point numbers"
        )
    side = _side("input_size", given["input_size"][-2:], square=True)
    return {
        "resize": math.floor(side / (given.get("crop_pct") or CROP_SHARE)),
        "crop": side,
        **_normalisation(given.get("mean") or IMAGENET_MEAN, given.get("std") or IMAGENET_STD),
        "interpolation": _interpolation(given.get("interpolation") or "bicubic"),
    }


def _side(name: str, size: Any, square: bool = False) -> int:
    """Return a size that stands for one side: a number, a sequence of one or, where ``square``, of two alike."""
    sizes = [size] if isinstance(size, int) else list(size or ())
    if len(sizes) == 1 or (square and len(sizes) == 2 and sizes[0] == sizes[1]):
        return int(sizes[0])
    raise InputError(
        f"preprocessing: {name} {size} cannot be expressed, only one number for the shorter side or a square; "
        "preprocess the images yourself"
    )


def _normalisation(mean: Any, std: Any) -> dict[str, tuple[float, ...]]:
    return {"mean": tuple(float(value) for value in mean), "std": tuple(float(value) for value in std)}


def _interpolation(given: Any) -> str:
    name = str(getattr(given, "value", given))
    name = "nearest" if name == "nearest-exact" else name
    if name not in ("bilinear", "bicubic", "nearest"):
        raise InputError(f"preprocessing: {name} interpolation cannot be expressed, only bilinear, bicubic and nearest")
    return name
