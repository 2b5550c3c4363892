"""Modules and ``.pt2`` files become programs; what stands in the way is said in one line."""

from pathlib import Path
from typing import Any

import harness
import pytest
import torch
import toys
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.errors import InputError
from seenn_convert.frontend.load import read_model
from seenn_convert.frontend.torch.read import from_exported, from_torch, read_pt2


@pytest.mark.parametrize("make", toys.ALL)
def test_the_program_computes_what_the_module_computes(make: Any) -> None:
    torch.manual_seed(0)
    model, program = make(), harness.program_of(make)
    for count in (1, 2, 7):
        batch = harness.images(program, count)
        with torch.no_grad():
            harness.assert_same(program(batch), model(batch))


def test_training_mode_is_refused_with_the_modules_that_are() -> None:
    with pytest.raises(InputError, match=r"in training mode \(Toy, conv, bn, ...\); call model\.eval\(\)"):
        from_torch(toys.conv_bn_relu().train(), toys.IMAGE)

    model = toys.conv_bn_relu()
    model.bn.train()
    with pytest.raises(InputError, match=r"in training mode \(bn\)"):
        from_torch(model, toys.IMAGE)


@pytest.mark.parametrize("shape", [(4, 8, 8), (3, 8), (3, 9, 9)])
def test_an_image_the_model_does_not_accept(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="does not accept an image of shape") as caught:
        from_torch(toys.no_relu(), shape)
    assert "\n" not in str(caught.value)


def test_several_inputs_are_refused() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    with pytest.raises(InputError, match="missing 1 required positional argument"):
        from_torch(Two().eval(), (3,))


def test_an_optional_second_input_is_left_out() -> None:
    class Optional(nn.Module):
        def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
            return F.relu(x) if scale is None else x * scale

    program = from_torch(Optional().eval(), (3,))
    assert torch.equal(program(-torch.ones(2, 3)), torch.zeros(2, 3))


def test_a_module_that_fixes_its_batch_is_read_for_any() -> None:
    """Code that writes the batch size down as a number is exported for that size and lifted for all."""

    def body(m: Any, x: Tensor) -> Tensor:
        return m.head(F.relu(x).reshape(int(x.shape[0]), -1))

    model = toys.toy(body, head=nn.Linear(192, 5))
    program = from_torch(model, toys.IMAGE)
    batch = harness.images(program, 7)

    harness.assert_same(program(batch), model(batch))


def test_a_model_that_turns_gradients_off_itself() -> None:
    """As inference code often does, for the whole forward pass or for a part."""

    def body(m: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = m.conv(x)
        with torch.inference_mode():
            return m.head(F.relu(x).flatten(1))

    model = toys.toy(torch.no_grad()(body), conv=toys.conv(), head=nn.Linear(256, 5))
    program = from_torch(model, toys.IMAGE)

    assert [node.name for node, _ in program.calls()] == ["conv", "relu", "flatten", "head"]
    harness.assert_same(program(harness.images(program)), model(harness.images(program)))


def test_a_model_that_branches_on_its_data_cannot_be_traced() -> None:
    def body(m: Any, x: Tensor) -> Tensor:
        return F.relu(x).flatten(1) if x.sum() > 0 else x.flatten(1)

    with pytest.raises(InputError, match=r"branches on numbers that it computes from the image") as caught:
        from_torch(toys.toy(body), toys.IMAGE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_of_the_image_is_kept(dtype: torch.dtype) -> None:
    program = from_torch(toys.conv_bn_relu().to(dtype), toys.IMAGE, dtype)

    assert program.input_dtype is dtype
    assert program(harness.images(program)).dtype is dtype


def test_a_pt2_file(tmp_path: Path) -> None:
    model = toys.residual()
    torch.export.save(torch.export.export(model, (torch.zeros(2, *toys.IMAGE),)), tmp_path / "net.pt2")
    program = from_exported(read_pt2(tmp_path / "net.pt2"))
    batch = harness.images(program, 3)

    with torch.no_grad():
        harness.assert_same(program(batch), model(batch))
    assert program.source_of("stem").startswith("stem (toys.py:")


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04 truncated"])
def test_an_unreadable_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.pt2"
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"net\.pt2: not a readable torch\.export file .*; export it again"):
        read_pt2(path)


def test_a_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(toys.perceptron(), (torch.zeros(2, 7),)), path)
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(InputError, match="export it again"):
        read_pt2(path)


def test_a_pickled_module_is_not_a_program(tmp_path: Path) -> None:
    """Nothing is unpickled: a file that torch.save wrote is refused."""
    path = tmp_path / "net.pt2"
    torch.save(nn.Linear(2, 2), path)

    with pytest.raises(InputError, match="of another format"):
        read_pt2(path)


PACKED: list[Any] = [
    (lambda x: {"logits": x}, None),
    (lambda x: (x,), None),
    (lambda x: {"logits": x, "features": x + 1}, "logits"),
    (lambda x: (x + 1, x), "1"),
    (lambda x: (x + 1, {"logits": x}), "1.logits"),
]


@pytest.mark.parametrize(("pack", "output_name"), PACKED)
@pytest.mark.parametrize("batch", [None, 2])
def test_the_logits_are_found_in_what_a_model_returns(pack: Any, output_name: str | None, batch: int | None) -> None:
    """By name where it returns several tensors, also where the export fixes the batch."""
    model = toys.toy(lambda m, x: pack(m.head(F.relu(x).flatten(1))), head=nn.Linear(192, 5))
    images = torch.randn(3, *toys.IMAGE)
    expected = model.head(F.relu(images).flatten(1))
    dynamic = None if batch else ({0: torch.export.Dim("batch")},)
    exported = torch.export.export(model, (images[: batch or 3],), dynamic_shapes=dynamic)
    for source in (
        read_model(model, toys.IMAGE, output_name=output_name),
        read_model(exported, output_name=output_name),
    ):
        torch.testing.assert_close(source.program(images), expected)
        assert source.check(images) <= 1e-5 and source.output_name == output_name


@pytest.mark.parametrize(
    ("pack", "output_name", "message"),
    [
        (lambda x: {"a": x, "b": x + 1}, None, r"returns 2 tensors \(a, b\); name the logits with --output-name"),
        (lambda x: (x, x + 1), None, r"returns 2 tensors \(0, 1\)"),
        (lambda x: {"a": x, "b": x + 1}, "c", "no output named 'c'; its outputs are: a, b"),
    ],
)
def test_an_unclear_choice_of_the_logits_is_said(
    tmp_path: Path, pack: Any, output_name: str | None, message: str
) -> None:
    model = toys.toy(lambda m, x: pack(m.head(F.relu(x).flatten(1))), head=nn.Linear(192, 5))
    with pytest.raises(InputError, match=message):
        from_torch(model, toys.IMAGE, output_name=output_name)
    torch.export.save(torch.export.export(model, (torch.zeros(2, *toys.IMAGE),)), tmp_path / "net.pt2")
    with pytest.raises(InputError, match=message):
        from_exported(read_pt2(tmp_path / "net.pt2"), output_name)


@pytest.mark.parametrize("sizes", [(2, 192), (2, -1)])
def test_a_batch_size_in_the_models_code_is_said(sizes: tuple[int, ...]) -> None:
    model = toys.toy(lambda m, x: m.relu(x).view(*sizes), relu=nn.ReLU())
    with pytest.raises(InputError, match=r"fixes the batch size \(.*\); write x\.flatten\(1\)"):
        from_torch(model, toys.IMAGE)


def test_double_precision_is_read_from_the_parameters() -> None:
    assert from_torch(toys.conv_bn_relu().double(), toys.IMAGE).input_dtype is torch.float64
    assert from_torch(toys.conv_bn_relu(), toys.IMAGE).input_dtype is torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused(dtype: torch.dtype) -> None:
    model = toys.perceptron().to(dtype)
    with pytest.raises(InputError, match=r"computes in b?float16, and conversion needs float32 or float64; call model"):
        from_torch(model, (7,))
    with pytest.raises(InputError, match="conversion needs float32 or float64"):
        from_exported(torch.export.export(model, (torch.zeros(2, 7, dtype=dtype),)))


def test_beside_an_error_nothing_is_logged_or_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.pt2").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(InputError):
        read_pt2(tmp_path / "net.pt2")
    with pytest.raises(InputError):
        from_torch(toys.toy(lambda m, x: F.relu(x).flatten(1) if x.sum() > 0 else x.flatten(1)), toys.IMAGE)
    assert capfd.readouterr() == ("", "")
