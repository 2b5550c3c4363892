"""Stand-ins for what torchvision and timm return, with the same attributes and values."""

from types import SimpleNamespace
from typing import Any

from seenn_convert.data import Preprocessing

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def preset(**changes: Any) -> SimpleNamespace:
    """The attributes of torchvision's ImageClassification for ResNet18_Weights.IMAGENET1K_V1."""
    fields = {"crop_size": [224], "resize_size": [256], "mean": list(MEAN), "std": list(STD),
              "interpolation": SimpleNamespace(value="bilinear"), "antialias": True}
    return SimpleNamespace(**{**fields, **changes})


def step(name: str, **fields: Any) -> Any:
    return type(name, (), fields)()


def compose(*steps: Any) -> SimpleNamespace:
    return SimpleNamespace(transforms=list(steps))


def timm_config(**changes: Any) -> dict[str, Any]:
    """The configuration of timm's resnet18.a1_in1k, in part."""
    fields = {"input_size": (3, 224, 224), "test_input_size": (3, 288, 288), "interpolation": "bicubic", "crop_pct": 0.95,
              "test_crop_pct": 1.0, "crop_mode": "center", "mean": MEAN, "std": STD, "num_classes": 1000}
    return {**fields, **changes}


RESNET = Preprocessing(resize=256, crop=224, mean=MEAN, std=STD)
TIMM = Preprocessing(resize=235, crop=224, mean=MEAN, std=STD, interpolation="bicubic")  # floor(224 / 0.95) = 235
