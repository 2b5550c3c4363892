"""Weights come from the files that people have; what does not fit is said in one sentence; nothing is unpickled."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from payload import Payload
from safetensors.torch import save_file
from torch import Tensor, nn

from seenn_convert.errors import InputError
from seenn_convert.frontend.weights import load_weights

State = dict[str, Tensor]


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


@pytest.fixture
def state() -> State:
    return net().state_dict()


def loaded(path: Path, state: State) -> tuple[str, ...]:
    """Return the notes of loading weights that must be ``state`` afterwards."""
    module = net()
    notes = load_weights(module, path, "mine:net")
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    return notes


def prefixed(state: State, prefix: str) -> State:
    return {prefix + name: value for name, value in state.items()}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.bin", "w.safetensors"])
def test_a_state_dict_of_any_name(tmp_path: Path, state: State, name: str, legacy: bool) -> None:
    torch.save(state, tmp_path / name, _use_new_zipfile_serialization=not legacy)
    assert loaded(tmp_path / name, state) == ()


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "net"])
def test_a_checkpoint_keeps_them_beside_other_things(tmp_path: Path, state: State, key: str) -> None:
    torch.save({"epoch": 3, "optimizer": {"lr": 0.1}, key: state}, tmp_path / "w.pth")
    assert loaded(tmp_path / "w.pth", state) == (f"the weights are those under {key!r} in w.pth",)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model.", "net.backbone."])
def test_a_prefix_of_all_names_is_taken_off(tmp_path: Path, state: State, prefix: str) -> None:
    save_file(prefixed(state, prefix), tmp_path / "w.safetensors")
    (note,) = loaded(tmp_path / "w.safetensors", state)
    assert note == f"the prefix {prefix!r} was taken off the names of the weights in w.safetensors"


def test_a_prefix_that_the_model_has_stays(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Sequential(nn.Linear(2, 2)))
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    assert load_weights(nn.Sequential(nn.Sequential(nn.Linear(2, 2))), tmp_path / "w.safetensors", "net") == ()


@pytest.mark.parametrize("length", range(20))
def test_a_header_of_any_length_is_no_pickle(tmp_path: Path, length: int) -> None:
    """A header of 128 or 384 bytes begins with the byte of a pickle."""
    names = {"a" * (8 * length + 1): nn.Linear(2, 2)}
    save_file(nn.ModuleDict(names).state_dict(), tmp_path / "w.safetensors")
    assert load_weights(nn.ModuleDict(names), tmp_path / "w.safetensors", "net") == ()


def test_counters_of_batch_norms_may_be_missing(tmp_path: Path, state: State) -> None:
    module = net()
    kept = {name: value for name, value in state.items() if "num_batches" not in name}
    save_file(prefixed(kept, "module."), tmp_path / "w.safetensors")
    assert len(load_weights(module, tmp_path / "w.safetensors", "net")) == 1
    assert torch.equal(module.state_dict()["4.bias"], state["4.bias"])


UNFIT: list[tuple[Callable[[State], State], str]] = [
    (lambda s: {"4.bias": s["4.bias"]}, r"it lacks 0\.weight, 0\.bias, 1\.weight and 4 more"),
    (lambda s: {**s, "5.weight": torch.ones(2), "a": torch.ones(3)}, r"the model has no 5\.weight, a"),
    (lambda s: {**s, "4.bias": torch.zeros(7)}, r"4\.bias has shape \(7,\) where the model has \(10,\)"),
    (lambda s: prefixed({"4.bias": s["4.bias"]}, "module."), r"it lacks 0\.weight, [^;]*; give"),
    (lambda s: {}, r"holds no state dict|it lacks 0\.weight"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), UNFIT)
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_what_does_not_fit_is_listed_in_one_sentence(
    tmp_path: Path, state: State, change: Callable[[State], State], message: str, name: str
) -> None:
    (torch.save if name.endswith("pth") else save_file)(change(state), tmp_path / name)
    with pytest.raises(InputError, match=rf"{re.escape(name)}: .*({message})") as caught:
        load_weights(net(), tmp_path / name, "mine:net")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


WRAPPED: list[Callable[[nn.Module], Any]] = [
    lambda module: module,
    lambda module: {"epoch": Path("a"), "model": module},
    *(
        lambda module, key=key: {"options": Path("a"), key: module.state_dict()}
        for key in ("state_dict", "model_state_dict", "model", "net", "weights", "params")
    ),
    lambda module: {"model": "resnet18", "options": Path("a"), "net": module.state_dict()},
]


@pytest.mark.parametrize("wrap", WRAPPED)
def test_pickled_objects_are_refused_with_a_line_that_works(
    tmp_path: Path, state: State, wrap: Callable[[nn.Module], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = 'it\'s "my" $HOME `model`.pth'
    module = net()
    module.load_state_dict(state)
    torch.save(wrap(module), tmp_path / name)
    with pytest.raises(InputError, match="holds pickled objects beside tensors") as caught:
        load_weights(net(), tmp_path / name, "mine:net")
    python, option, program = shlex.split(str(caught.value).partition("give those: ")[2])
    assert (python, option) == ("python", "-c")
    monkeypatch.chdir(tmp_path)
    if isinstance(wrap(module), nn.Module):  # as a user does it
        subprocess.run([sys.executable, option, program], check=True, cwd=tmp_path)
    else:
        exec(program, {})
    assert loaded(tmp_path / "weights.pth", state) == ()


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_said_to_be(tmp_path: Path, state: State, name: str, share: float) -> None:
    path = tmp_path / name
    (torch.save if name == "w.pth" else save_file)(state, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match="is damaged or cut off; copy or download it again") as caught:
        load_weights(net(), path, "mine:net")
    assert "header" not in str(caught.value)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    for legacy in (False, True):
        torch.save({"w": Payload(tmp_path / "marker")}, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
        with pytest.raises(InputError):
            load_weights(net(), tmp_path / "w.pth", "mine:net")
        assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x02N.", b"torn", bytes(range(256))])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"w\.pth: "):
        load_weights(net(), tmp_path / "w.pth", "mine:net")


def test_a_torchscript_archive_is_said(tmp_path: Path) -> None:
    torch.jit.script(nn.Linear(2, 2)).save(str(tmp_path / "w.pt"))
    with pytest.raises(InputError, match="TorchScript"):
        load_weights(net(), tmp_path / "w.pt", "mine:net")
