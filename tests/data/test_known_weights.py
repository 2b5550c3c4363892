"""Weights are named with their library, which may be missing; stand-ins take its place here."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from foreign import RESNET, TIMM, preset, timm_config

from seenn_convert.data.known_weights import preprocessing_of_weights
from seenn_convert.errors import InputError


def library(monkeypatch: pytest.MonkeyPatch, name: str, **functions: object) -> None:
    module = ModuleType(name)
    vars(module).update(functions)
    monkeypatch.setitem(sys.modules, name, module)
    if "." in name:
        library(monkeypatch, name.partition(".")[0])


def test_timm_is_asked_for_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"resnet18.a1_in1k": SimpleNamespace(**timm_config())}
    library(monkeypatch, "timm", get_pretrained_cfg=known.get)

    assert preprocessing_of_weights("timm:resnet18.a1_in1k") == TIMM
    with pytest.raises(InputError, match="timm has no configuration for 'nonsense'"):
        preprocessing_of_weights("timm:nonsense")


def test_torchvision_is_asked_for_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"ResNet18_Weights.IMAGENET1K_V1": SimpleNamespace(transforms=preset)}
    library(monkeypatch, "torchvision.models", get_weight=known.__getitem__)

    assert preprocessing_of_weights("torchvision:ResNet18_Weights.IMAGENET1K_V1") == RESNET
    with pytest.raises(InputError, match="torchvision does not know the weights 'ResNet18'"):
        preprocessing_of_weights("torchvision:ResNet18")


@pytest.mark.parametrize("name", ["timm:resnet18", "torchvision:ResNet18_Weights.DEFAULT"])
def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for module in ("timm", "torchvision", "torchvision.models"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"comes from {name.partition(':')[0]}, which cannot be imported .*pip install"):
        preprocessing_of_weights(name)


@pytest.mark.parametrize("name", ["keras:ResNet50", "timm", ""])
def test_another_library_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is neither timm:NAME nor torchvision:WEIGHTS"):
        preprocessing_of_weights(name if name != "timm" else "resnet18")
