"""A compiled network answers as the original for any number of rows, and a later process compiles nothing again."""

import copy
from collections.abc import Sequence
from pathlib import Path

import pytest
import small_artifacts as small
import torch
from torch import Tensor

from seenn_convert.errors import ExportError, InputError
from seenn_convert.exporters.verification import compared_steps
from seenn_convert.rows import ROW_FLOOR
from seenn_convert.runtime.backends import graphs
from seenn_convert.runtime.backends.cache import VARIABLE, cache_folder, made_private
from seenn_convert.runtime.backends.compiled import (
    CompiledBackend,
    CompiledModel,
    compiled_graphs,
    rows_compiled,
)
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.spiking_model import SpikingModel

IMAGES = small.draw(40, 5)[0]


class Watched:
    """Runs a graph as it is, and keeps the rows and the order in memory of what it was given."""

    def __init__(self, graph: torch.nn.Module) -> None:
        self.graph, self.rows, self.strides = graph, set[int](), set[tuple[tuple[int, ...], ...]]()

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        self.rows.add(len(inputs[0]))
        self.strides.add(tuple(value.stride() for value in inputs))
        found: Tensor | Sequence[Tensor] = self.graph(*inputs)
        return (found,) if isinstance(found, Tensor) else tuple(found)


def stand_in(rows: int) -> tuple[CompiledModel, Watched]:
    """Return a compiled model in which the graphs run as they are."""
    model = small.model()
    step = Watched(model.step_graph)
    return CompiledModel(model, rows, Watched(model.stem), step), step


@pytest.mark.parametrize("rows", [16, 64])
def test_compiled_code_sees_one_shape_and_one_order_in_memory(rows: int) -> None:
    """40 images, a batch that is refilled and shrinks: all of it runs as ``rows`` rows, channels last."""
    compiled, step = stand_in(rows)
    theirs = run_early_exit(compiled, IMAGES, 20)
    ours = run_early_exit(small.model(), IMAGES, 20)

    assert step.rows == {rows} and len(step.strides) == 1
    assert torch.equal(ours.exit_step, theirs.exit_step)
    assert torch.equal(ours.predictions, theirs.predictions)


@pytest.mark.parametrize("wanted, rows", [(1, 1), (2, 16), (16, 16), (20, 16), (31, 32), (100, 128), (256, 256)])
def test_few_numbers_of_rows_are_compiled(wanted: int, rows: int) -> None:
    assert rows_compiled(wanted) == rows


def test_what_is_compiled_is_known_by_form_and_rows_and_not_by_weights(tmp_path: Path) -> None:
    model, other = small.model(), small.artifact().model()
    other.load_state_dict({name: value + 1 for name, value in other.state_dict().items()})
    keys = [[one.folder.name for one in compiled_graphs(each, rows, tmp_path)] for each, rows in (
        (small.artifact().model(), 16), (other, 16), (model, 16), (other, 32),
    )]  # fmt: skip
    assert keys[0] == keys[1]
    assert len({tuple(pair) for pair in keys[1:]}) == 3


def test_a_missing_compiler_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise RuntimeError("none")

    monkeypatch.setattr(graphs, "_cpp_compiler", missing)
    backend = CompiledBackend(small.model(), lambda *_: None, tmp_path)
    with pytest.raises(InputError, match=r"needs a C\+\+ compiler and none is found; install g\+\+") as error:
        backend.model(16)
    assert "\n" not in str(error.value) and not any(tmp_path.iterdir())


def test_the_folder_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    assert made_private(cache_folder()).stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=f"cannot be made .* name another folder by {VARIABLE}"):
        made_private(tmp_path / "file" / "below")


def test_what_compiles_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The check runs once, on what has just been compiled, and its error is passed on."""
    model = small.model()
    monkeypatch.setattr(graphs.CompiledGraph, "run", lambda graph: lambda *inputs: graph.module(*graph.held, *inputs))

    def wrong(original: SpikingModel, compiled: CompiledModel) -> None:
        altered = copy.deepcopy(original)
        altered.step_graph.get_submodule("head").bias += 1
        compared_steps(altered, compiled, IMAGES[:16])

    with pytest.raises(ExportError, match="one timestep of the export differs"):
        CompiledBackend(model, wrong, tmp_path).model(16)
    seen, told = [], []
    check = lambda original, compiled: seen.append(compiled.rows)  # noqa: E731
    backend = CompiledBackend(model, check, tmp_path, lambda stage, done, total: told.append(stage))
    trace = backend.run(IMAGES, 20, len(IMAGES))
    assert seen == [16] and torch.equal(trace.exit_step, run_early_exit(model, IMAGES, 16).exit_step)
    assert backend.run(IMAGES[:1], 20, 1).exit_step.shape == (1,) and seen == [16, 1]
    assert told == ["compiling, once"] * 2


@pytest.mark.slow
def test_a_network_is_compiled_once_and_agrees(tmp_path: Path) -> None:
    """One timestep within rounding from our own states, and no answer or exit of 40 images differs."""
    model, checked = small.model(), []

    def check(original: SpikingModel, compiled: CompiledModel) -> None:
        found = compared_steps(original, compiled, IMAGES[:ROW_FLOOR])
        checked.append((found.error, found.flipped))

    trace = CompiledBackend(model, check, tmp_path).run(IMAGES, 20, len(IMAGES))
    ours = run_early_exit(model, IMAGES, 20)
    assert torch.equal(trace.exit_step, ours.exit_step) and torch.equal(trace.predictions, ours.predictions)
    assert len(checked) == 1 and checked[0][0] <= 1e-5 and checked[0][1] == 0
    libraries = sorted(tmp_path.rglob("*.so"))
    later = CompiledBackend(model, check, tmp_path)
    assert libraries and later.is_kept(20) and not later.is_kept(1)
    assert torch.equal(later.run(IMAGES, 20, len(IMAGES)).logits, trace.logits) and len(checked) == 1
    assert sorted(tmp_path.rglob("*.so")) == libraries  # nothing was compiled again
    assert not list(tmp_path.glob("unfinished-*"))
