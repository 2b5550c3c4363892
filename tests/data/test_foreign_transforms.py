"""What torchvision and timm know is read by the attributes of their objects; stand-ins serve here."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from foreign import MEAN, RESNET, STD, TIMM, compose, preset, step, timm_config

from seenn_convert.data import Preprocessing
from seenn_convert.errors import InputError


def test_a_preset_of_weights() -> None:
    assert Preprocessing.from_torchvision(preset()) == RESNET
    bicubic = preset(interpolation=SimpleNamespace(value="bicubic"))
    assert Preprocessing.from_torchvision(bicubic).interpolation == "bicubic"


def test_a_compose_of_the_usual_transforms() -> None:
    resize = step("Resize", size=256, interpolation=SimpleNamespace(value="bilinear"), max_size=None)
    normalize = step("Normalize", mean=list(MEAN), std=list(STD))
    crop = step("CenterCrop", size=(224, 224))
    assert Preprocessing.from_torchvision(compose(resize, crop, step("ToTensor"), normalize)) == RESNET
    scaled = step("ToDtype", dtype=torch.float32, scale=True)
    assert Preprocessing.from_torchvision(compose(resize, crop, step("ToImage"), scaled, normalize)) == RESNET
    assert Preprocessing.from_torchvision(compose(step("ToTensor"))) == Preprocessing()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (preset(crop_size=[224, 200]), r"crop_size \[224, 200\] cannot be expressed"),
        (preset(interpolation=SimpleNamespace(value="lanczos")), "lanczos interpolation cannot be expressed"),
        (compose(step("RandomCrop", size=4)), "cannot read RandomCrop at its place"),
        (compose(step("ToTensor"), step("Resize", size=4)), "cannot read Resize at its place"),
        (compose(step("Resize", size=[32, 32], max_size=None)), r"size of Resize \[32, 32\] cannot be expressed"),
        (compose(step("Resize", size=32, max_size=40)), "max_size"),
        (compose(step("ToImage"), step("ToDtype", scale=False)), "without scale=True"),
        (None, "NoneType is neither"),
        (lambda image: image, "function is neither"),
    ],
)
def test_what_cannot_be_expressed_of_torchvision_is_refused(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Preprocessing.from_torchvision(given)


def test_a_configuration_of_timm_as_mapping_object_or_model() -> None:
    assert Preprocessing.from_timm(timm_config()) == TIMM
    assert Preprocessing.from_timm(SimpleNamespace(**timm_config())) == TIMM
    assert Preprocessing.from_timm(SimpleNamespace(pretrained_cfg=timm_config())) == TIMM


def test_what_timm_leaves_out_is_what_timm_takes() -> None:
    """resolve_data_config: crop 0.875, bicubic, ImageNet's mean and deviation."""
    expected = Preprocessing(resize=256, crop=224, mean=MEAN, std=STD, interpolation="bicubic")
    assert Preprocessing.from_timm({"input_size": (3, 224, 224), "crop_pct": None}) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (timm_config(crop_mode="squash"), "crop_mode squash cannot be expressed"),
        (timm_config(input_size=(3, 224, 160)), r"input_size \(224, 160\) cannot be expressed"),
        (timm_config(interpolation="lanczos"), "lanczos"),
        ({}, "no input_size"),
        (None, "no input_size"),
    ],
)
def test_what_cannot_be_expressed_of_timm_is_refused(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Preprocessing.from_timm(given)
