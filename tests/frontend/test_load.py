"""MODEL in all its forms: module, exported program, file, factory; and the check against the original."""

import sys
from pathlib import Path
from typing import Any

import harness
import pytest
import torch
import toys
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional as F

from seenn_convert.errors import InputError, PostconditionError
from seenn_convert.frontend.factory import is_file_format
from seenn_convert.frontend.load import read_for_images, read_model
from seenn_convert.frontend.source import Source
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.program import Program
from seenn_convert.sample import FOLDER as SAMPLE

FACTORIES = """
import torch
from torch import nn

def net():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 5))

def needs(size):
    return nn.Linear(size, size)

def broken():
    raise OSError("no disk")

def text():
    return "net"

number = 3
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module ``factories`` in the working directory, as a user has it."""
    (tmp_path / "seenn_test_factories.py").write_text(FACTORIES)
    (tmp_path / "seenn_test_broken.py").write_text("1 / 0\n")
    (tmp_path / "seenn_test_syntax.py").write_text("def (\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "seenn_test_factories"
    for name in list(sys.modules):
        if name.startswith("seenn_test_"):
            del sys.modules[name]


def spoiled(program: Program) -> Program:
    """Return a program whose last layer has other weights."""
    draft = Draft(program)
    node, module = list(draft.modules_of(nn.Linear))[-1]
    draft.replace_module(node, nn.Linear(module.in_features, module.out_features))
    return draft.finish("Spoil")


def test_a_module() -> None:
    source = read_model(toys.residual(), toys.IMAGE)

    assert (source.name, source.format, source.path) == ("Toy", "module", None)
    assert source.check(harness.images(source.program)) <= 1e-5


def test_a_module_needs_the_shape_of_its_input() -> None:
    message = r"Toy: the shape of its input is not known; give it \(--input-shape, input_shape\), or sample data$"
    with pytest.raises(InputError, match=message):
        read_model(toys.residual())


@pytest.mark.parametrize("dynamic", [True, False])
def test_an_exported_program_is_checked_for_any_number_of_images(dynamic: bool) -> None:
    """A program for a fixed batch is run in batches of that size, the last one filled up."""
    shapes = ({0: Dim.AUTO},) if dynamic else None
    exported = torch.export.export(toys.residual(), (torch.zeros(4, *toys.IMAGE),), dynamic_shapes=shapes)
    source = read_model(exported)

    assert source.format == "pt2"
    for count in (1, 4, 6, 9):
        images = harness.images(source.program, count)
        assert source.reference(images).shape == (count, 5)
        assert source.check(images) <= 1e-5


@pytest.mark.parametrize("batch", [1, 3])
def test_a_pt2_file(tmp_path: Path, batch: int) -> None:
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(toys.perceptron(), (torch.zeros(batch, 7),)), path)
    for model in (path, str(path)):
        source = read_model(model)
        assert (source.name, source.format, source.path) == ("net.pt2", "pt2", path)
        assert source.check(harness.images(source.program, 8)) <= 1e-5


def test_an_onnx_file(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    torch.onnx.export(toys.perceptron(), (torch.zeros(1, 7),), path, dynamo=False, dynamic_axes={"image": {0: "n"}},
                      input_names=["image"])  # fmt: skip
    source = read_model(path)

    assert (source.name, source.format, source.path) == ("net.onnx", "onnx", path)
    assert source.reference is None
    assert source.check(harness.images(source.program, 3)) <= 1e-4


def test_a_factory(package: str) -> None:
    source = read_model(f"{package}:net", (7,))

    assert (source.name, source.format) == (f"{package}:net", "module")
    assert [type(module).__name__ for _, module in source.program.calls()] == ["Linear", "ReLU", "Linear"]


def test_a_factory_with_weights(package: str, tmp_path: Path) -> None:
    """The weights of the file are those of the program, not the factory's own."""
    torch.manual_seed(5)
    trained = nn.Sequential(nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 5)).eval()
    save_file(trained.state_dict(), tmp_path / "net.safetensors")
    source = read_model(f"{package}:net", (7,), tmp_path / "net.safetensors")
    images = harness.images(source.program)

    harness.assert_same(source.program(images), trained(images))
    assert source.path == tmp_path / "net.safetensors"  # what the provenance hashes


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("seenn_test_nowhere:net", "cannot be imported .No module named"),
        ("seenn_test_factories:nothing", "cannot be imported .*; give package.module:factory"),
        ("seenn_test_factories:", "cannot be imported"),
        (":net", "cannot be imported"),
        (".factories:net", "cannot be imported"),
        ("seenn_test_broken:net", "cannot be imported .division by zero"),
        ("seenn_test_syntax:net", "cannot be imported .invalid syntax"),
        ("seenn_test_factories:needs", "calling it without arguments failed .*'size'"),
        ("seenn_test_factories:broken", "calling it without arguments failed .no disk"),
        ("seenn_test_factories:number", "calling it without arguments failed"),
        ("seenn_test_factories:text", "returns str, not an nn.Module"),
    ],
)
def test_factories_that_are_none(package: str, spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_model(spec, (7,))


def test_weights_that_do_not_fit(package: str, tmp_path: Path) -> None:
    """The message names the file and what is missing."""
    wrong, torn = tmp_path / "wrong.safetensors", tmp_path / "torn.safetensors"
    save_file({"0.weight": torch.zeros(6, 7)}, wrong)
    torn.write_bytes(b"torn")

    with pytest.raises(InputError, match=r"wrong\.safetensors: does not fit .*: it lacks 0\.bias.*; give the weights of"):
        read_model(f"{package}:net", (7,), wrong)
    with pytest.raises(InputError, match=r"torn\.safetensors: is neither a \.safetensors file nor a state dict"):
        read_model(f"{package}:net", (7,), torn)
    with pytest.raises(InputError, match="no such file"):
        read_model(f"{package}:net", (7,), tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("model", ["net.onnx", "net.pt2", nn.Linear(2, 2).eval()], ids=str)
def test_weights_are_for_factories(model: Any) -> None:
    with pytest.raises(InputError, match=r"holds its weights; .* for package\.module:factory"):
        read_model(model, (2,), Path("net.safetensors"))


def test_a_folder_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder but not an artifact; check the path"):
        read_model(tmp_path)


@pytest.mark.parametrize("name", ["nothing.pt2", "nothing.onnx", "nothing.h5"])
def test_files_that_are_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"{name}: no such file; check the path"):
        read_model(tmp_path / name)


def test_files_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "net.h5").write_bytes(b"")

    with pytest.raises(InputError, match=r"net\.h5: not a model format that can be read; give \.onnx, \.pt2 or"):
        read_model(tmp_path / "net.h5")


def test_what_was_read_is_not_read_again() -> None:
    source = read_model(toys.perceptron(), (7,))

    assert read_model(source) is source


def test_file_formats() -> None:
    assert is_file_format("a/net.onnx") and is_file_format(Path("net.pt2"))
    assert not is_file_format("package.module:factory")


# The check against the original.


def test_the_check_catches_a_program_that_differs() -> None:
    source = read_model(toys.residual(), toys.IMAGE)
    wrong = Source(spoiled(source.program), "net", "module", reference=source.reference)

    with pytest.raises(PostconditionError, match="net: the program read from it differs by .* relative; report"):
        wrong.check(harness.images(source.program))


def test_the_check_catches_a_program_that_differs_beside_a_masked_class() -> None:
    masked = toys.toy(lambda m, x: m.head(x).masked_fill(torch.arange(5) == 2, -1e9), (7,), head=nn.Linear(7, 5))
    source = read_model(masked, (7,))
    images = harness.images(source.program)
    assert source.check(images) <= 1e-5
    with pytest.raises(PostconditionError, match="differs"):
        Source(spoiled(source.program), "net", "module", reference=source.reference).check(images)


def test_the_check_catches_another_number_of_rows() -> None:
    source = read_model(toys.perceptron(), (7,))
    short = Source(source.program, "net", "module", reference=lambda images: source.reference(images)[:1])

    with pytest.raises(PostconditionError, match="differs by inf"):
        short.check(harness.images(source.program))


def test_an_original_that_returns_no_numbers_is_the_users_problem() -> None:
    """Images or weights with NaN are no defect of the compiler."""
    source = read_model(toys.perceptron(), (7,))

    with pytest.raises(InputError, match="Toy: its logits are NaN or infinite; check the images and the weights"):
        source.check(torch.full((2, 7), float("nan")))


def test_without_a_reference_there_is_nothing_to_check() -> None:
    assert Source(harness.program_of(toys.perceptron), "net", "pt2").check(torch.zeros(2, 7)) == 0.0


def test_the_check_leaves_the_images_alone() -> None:
    """Also where the original writes to its input."""

    def body(m: Any, x: Tensor) -> Tensor:
        return m.head(F.relu(x, inplace=True).flatten(1))

    source = read_model(toys.toy(body, head=nn.Linear(192, 5)), toys.IMAGE)
    images = harness.images(source.program)
    before = images.clone()

    assert source.check(images) <= 1e-5
    assert torch.equal(images, before)


def test_the_check_runs_in_the_type_of_the_model(tmp_path: Path) -> None:
    """Images come in float32; a float64 model is checked in float64."""
    model = toys.perceptron().double()
    exported = torch.export.export(model, (torch.zeros(2, 7, dtype=torch.float64),))

    assert read_model(exported).check(torch.randn(4, 7)) <= 1e-12


CHANNELS = """
from torch import nn

def net(channels):
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))

def grey():
    return net(1)

def colour():
    return net(3)

def five():
    return net(5)
"""


@pytest.mark.parametrize(("factory", "channels"), [("grey", 1), ("colour", 3)])
@pytest.mark.parametrize("given", [1, 3])
def test_a_factory_is_read_for_grey_or_colour_as_it_needs(
    tmp_path: Path, package: str, factory: str, channels: int, given: int
) -> None:
    (tmp_path / "seenn_test_channels.py").write_text(CHANNELS)
    source = read_for_images(f"seenn_test_channels:{factory}", (given, 8, 8))
    assert source.program.input_shape == (channels, 8, 8)
    assert (source.name, source.format) == (f"seenn_test_channels:{factory}", "module")


def test_a_factory_that_takes_neither_says_what_to_do(tmp_path: Path, package: str) -> None:
    (tmp_path / "seenn_test_channels.py").write_text(CHANNELS)
    with pytest.raises(InputError, match=r"does not accept an image of shape \(3, 8, 8\): .*--input-shape"):
        read_for_images("seenn_test_channels:five", (3, 8, 8))


def test_a_model_that_fails_on_a_batch_is_one_sentence() -> None:
    def body(m: Any, x: Tensor) -> Tensor:
        if x.shape[0] > 4:
            raise RuntimeError("too many\nof them")
        return m.head(F.relu(x))

    model = toys.toy(body, (7,), head=nn.Linear(7, 5))
    with pytest.raises(InputError, match=r"^Toy: it fails on a batch of 16 images \(too many\); check that it takes"):
        read_model(model, (7,)).check(torch.zeros(16, 7))


def test_a_file_names_no_source_line_of_this_package() -> None:
    """The nodes of an ONNX file come from no Python code; where one is read from a module, its line is named."""
    sources = dict(read_model(SAMPLE / "fashion_mnist.onnx").program.sources)
    assert sources and not [where for where in sources.values() if ".py:" in where]


def test_a_module_where_a_function_is_wanted(package: str, tmp_path: Path) -> None:
    (tmp_path / "seenn_test_instance.py").write_text("from torch import nn\nnet = nn.Linear(7, 2)\n")
    with pytest.raises(InputError, match=r"net is a module, not a function that returns one; .* 'def make\(\): return net'"):
        read_model("seenn_test_instance:net", (7,))


@pytest.mark.parametrize("model", ["mynet.factory", "package.mynet.factory", "model.pth"])
def test_a_dot_for_the_colon_is_told(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no such file; .* give package.module:factory, with a colon"):
        read_model(model, (7,))
