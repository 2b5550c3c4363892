"""Models for whole numbers get every grey value of a pixel as that number, whichever way the pixels come."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn

import seenn_convert as sc
from seenn_convert.cli.main import cli
from seenn_convert.frontend.load import read_model
from seenn_convert.workflows.convert.inputs import read_inputs

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not

OPTIONS = sc.Options(timesteps=2, calibration="fast", certify=None)
FRONTS: dict[str, Callable[[Tensor], Tensor]] = {
    "scaled": lambda x: x.float() / 255,
    "levels": lambda x: (x // 16).float() / 16,
    "above": lambda x: (x > 127).float(),
    "modulo": lambda x: (x % 3).float(),
}


class Network(nn.Module):
    def __init__(self, front: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.front = FRONTS[front]
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.body(self.front(x))
        return logits


def greys() -> Tensor:
    """Return 40 images of 8 x 8 pixels that hold each of the 256 grey values ten times."""
    order = torch.randperm(2560, generator=torch.Generator().manual_seed(0))
    return (torch.arange(2560) % 256)[order].to(torch.uint8).reshape(40, 1, 8, 8)


def exported(front: str, kind: torch.dtype) -> torch.export.ExportedProgram:
    example = torch.zeros(2, 1, 8, 8, dtype=kind)
    return torch.export.export(Network(front).eval(), (example,), dynamic_shapes=({0: torch.export.Dim.AUTO},))


def given_as(kind: str, pixels: Tensor, folder: Path) -> object:
    if kind == "array":
        return pixels.numpy()
    if kind == "npz":
        np.savez(folder / "data.npz", x=pixels.numpy(), y=np.arange(len(pixels)) % 3)
        return folder / "data.npz"
    for index, pixel in enumerate(pixels):
        place = folder / "data" / str(index % 3)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixel[0].numpy()).save(place / f"{index:03}.png")
    return folder / "data"


@pytest.mark.parametrize("way", ["array", "npz", "folder"])
@pytest.mark.parametrize("kind", [torch.uint8, torch.int32, torch.int64])
@pytest.mark.parametrize("front", FRONTS)
def test_the_original_and_the_program_get_the_pixels_as_they_are(
    tmp_path: Path, front: str, kind: torch.dtype, way: str
) -> None:
    program = exported(front, kind)
    source, data = read_inputs(program, given_as(way, greys(), tmp_path))  # type: ignore[arg-type]
    images = next(data.batches(40))[0]
    order = torch.arange(40) if way != "folder" else torch.arange(40).argsort(stable=True)
    pixels = greys() if way != "folder" else torch.cat([greys()[order % 3 == one] for one in range(3)])
    expected = Network(front).eval()(pixels.to(kind)).detach()

    assert torch.equal(images, pixels.float())
    assert source.reference is not None and torch.equal(source.reference(images), expected)
    assert torch.allclose(source.program(images), expected, atol=1e-5)


@pytest.mark.parametrize("front", FRONTS)
def test_the_last_bits_of_a_pixel_change_nothing(front: str) -> None:
    """Pixels that were divided and multiplied are a little off, and stand for the same whole numbers."""
    program = exported(front, torch.uint8)
    source, images = read_model(program), greys().float()
    moved = images * (1 - 1e-6)
    expected = program.module()(greys())

    assert source.reference is not None and torch.equal(source.reference(moved), expected)
    assert torch.allclose(source.program(moved), expected, atol=1e-4)
    assert source.check(moved) <= 1e-5


@pytest.mark.filterwarnings("ignore")
def test_a_file_converts_and_is_compared_with(tmp_path: Path) -> None:
    torch.export.save(exported("levels", torch.uint8), tmp_path / "u8.pt2")
    path = given_as("npz", greys().repeat(3, 1, 1, 1), tmp_path)
    runner = CliRunner()
    made = runner.invoke(cli, ["convert", str(tmp_path / "u8.pt2"), "--calibration-data", str(path), "-T", "2",
                                "--calibration", "fast", "-o", str(tmp_path / "a")])  # fmt: skip
    assert made.exit_code == 0, made.output
    told = runner.invoke(
        cli, ["evaluate", str(tmp_path / "a"), "--data", str(path), "--against", str(tmp_path / "u8.pt2")]
    )
    assert told.exit_code == 0, told.output


def test_numbers_that_are_not_whole_are_told() -> None:
    images = greys().float() * 0.9
    artifact = sc.convert(exported("scaled", torch.uint8), images, OPTIONS)
    whole = sc.convert(exported("scaled", torch.uint8), images.round(), OPTIONS)

    assert any("nearest whole" in note for note in artifact.provenance.model.notes)
    assert not any("nearest whole" in note for note in whole.provenance.model.notes)


def test_numbers_beyond_the_type_become_its_last() -> None:
    reference = read_model(exported("scaled", torch.uint8)).reference
    assert reference is not None
    far = torch.full((2, 1, 8, 8), 300.0)
    assert torch.equal(reference(far), reference(torch.full((2, 1, 8, 8), 255.0)))
