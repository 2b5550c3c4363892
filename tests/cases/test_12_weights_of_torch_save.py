"""A user's weights lie in a .pth file, or carry the prefix of a wrapper: the command line reads them and says so."""

import re
from pathlib import Path

import numpy as np
import pytest
import small_artifacts as small
import torch
from safetensors.torch import save_file

from seenn_convert.artifact.artifact import load_artifact
from seenn_convert.cli.main import main
from seenn_convert.frontend.load import read_model


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net_of_a_user.py").write_text("import small_artifacts\nmake = small_artifacts.SmallNet\n")
    monkeypatch.syspath_prepend(tmp_path)
    pixels, _ = small.draw(96, 1)
    np.savez(tmp_path / "images.npz", x=pixels.numpy())
    state = small.trained_net().state_dict()
    torch.save(state, tmp_path / "w.pth")
    torch.save({"epoch": 9, "state_dict": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "parallel.pth")
    save_file({f"module.{name}": value for name, value in state.items()}, tmp_path / "parallel.safetensors")
    return tmp_path


@pytest.mark.parametrize("name", ["w.pth", "parallel.pth", "parallel.safetensors"])
def test_weights_are_those_of_the_file(folder: Path, name: str) -> None:
    source = read_model("net_of_a_user:make", small.SHAPE, folder / name)
    images = small.draw(8, 2)[0]
    with torch.no_grad():
        torch.testing.assert_close(source.program(images), small.trained_net()(images))
    assert [bool(re.search("prefix 'module.'", note)) for note in source.notes].count(True) == (name != "w.pth")


def test_the_command_line_converts_with_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["convert", "net_of_a_user:make", "--weights", str(folder / "parallel.pth"), "-T", "2", "--calibration", "fast"]
    main([*arguments, "--calibration-data", str(folder / "images.npz"), "-o", str(folder / "out")])
    assert "module." in capsys.readouterr().out
    images = small.draw(8, 2)[0]
    torch.testing.assert_close(load_artifact(folder / "out").ann(images), small.trained_net()(images), rtol=1e-4, atol=1e-4)
