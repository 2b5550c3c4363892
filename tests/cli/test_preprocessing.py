"""``convert --preprocessing`` reads what a library knows, and says it when it cannot."""

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from foreign import timm_config
from torch import Tensor, nn

from seenn_convert.cli.main import main


class Net(nn.Module):
    """Takes colour images of 8 x 8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).relu().mean(dim=(2, 3)))


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    batch = torch.export.Dim.AUTO
    program = torch.export.export(Net().eval(), (torch.zeros(2, 3, 8, 8),), dynamic_shapes=({0: batch},))
    torch.export.save(program, tmp_path / "net.pt2")
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).integers(256, size=(20, 12, 10, 3), dtype=np.uint8))
    return ["convert", str(tmp_path / "net.pt2"), "--calibration-data", str(tmp_path / "data.npz"), "-T", "2",
            "--calibration", "fast", "-o", str(tmp_path / "out")]


def code_of(arguments: list[str]) -> int:
    try:
        main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_what_timm_knows_is_applied_and_kept(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = ModuleType("timm")
    vars(library)["get_pretrained_cfg"] = {"tiny": timm_config(input_size=(3, 8, 8), crop_pct=0.8)}.get
    monkeypatch.setitem(sys.modules, "timm", library)

    assert code_of([*arguments, "--preprocessing", "timm:tiny"]) == 0

    kept = json.loads((tmp_path / "out" / "manifest.json").read_text())["preprocessing"]
    assert (kept["resize"], kept["crop"], kept["interpolation"]) == (10, 8, "bicubic")


def test_a_missing_library_is_one_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)

    assert code_of([*arguments, "--preprocessing", "timm:tiny"]) == 1
    assert "comes from timm, which cannot be imported" in capsys.readouterr().err


def test_an_option_beside_it_is_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of([*arguments, "--preprocessing", "timm:tiny", "--crop", "8", "--mean", "0.5"]) == 2
    assert "leave out --crop, --mean" in " ".join(capsys.readouterr().err.split())


def test_the_filter_of_the_resize_is_an_option(tmp_path: Path, arguments: list[str]) -> None:
    assert code_of([*arguments, "--resize", "9", "--crop", "8", "--interpolation", "nearest"]) == 0

    kept = json.loads((tmp_path / "out" / "manifest.json").read_text())["preprocessing"]
    assert (kept["resize"], kept["interpolation"]) == (9, "nearest")
