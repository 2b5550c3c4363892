"""Models whose images are whole numbers take the same numbers as floats, and compute what they computed."""

from pathlib import Path

import pytest
import torch
import toys
from reading import Body
from torch import Tensor, nn
from torch.export import Dim

from seenn_convert.errors import InputError
from seenn_convert.frontend.load import read_model
from seenn_convert.ir.operators import Elementwise

BODIES: list[tuple[torch.dtype, Body]] = [
    (torch.uint8, lambda m, x: x.float() / 255),
    (torch.uint8, lambda m, x: x / 255),
    (torch.uint8, lambda m, x: x.flip(1).contiguous().to(torch.float32) / 255),
    (torch.uint8, lambda m, x: (x.double() / 255).float()),  # the type of the logits counts, not that of the first cast
    (torch.int32, lambda m, x: (x.float() - 127) / 128),
    (torch.int64, lambda m, x: x * 0.5),
    (torch.uint8, lambda m, x: (x - 100).float() / 128),  # whole numbers below 0 come back from 255
    (torch.uint8, lambda m, x: (x > 100).float()),
    (torch.uint8, lambda m, x: x.float() / 255 + (x > 9)),
]


def exported(kind: torch.dtype, body: Body, dynamic: bool) -> torch.export.ExportedProgram:
    model = toys.toy(lambda m, x: m.head(m.conv(body(m, x)).relu().flatten(1)), (3, 4, 4),
                     conv=nn.Conv2d(3, 2, 3), head=nn.Linear(8, 3))  # fmt: skip
    shapes = ({0: Dim.AUTO},) if dynamic else None
    return torch.export.export(model, (torch.zeros(2, 3, 4, 4, dtype=kind),), dynamic_shapes=shapes, strict=False)


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize(("kind", "body"), BODIES)
def test_the_program_computes_the_same_from_floats(kind: torch.dtype, body: Body, dynamic: bool) -> None:
    original = exported(kind, body, dynamic)
    source = read_model(original)
    images = torch.randint(0, 256, (2, 3, 4, 4)).to(kind)
    expected: Tensor = original.module()(images)

    assert source.program.input_dtype == torch.float32
    assert torch.allclose(source.program(images.float()), expected, atol=1e-5)
    assert source.check(images.float()) <= 1e-5
    assert source.pixel_range == (0.0, 255.0) and f"({str(kind)[6:]})" in source.notes[0]


def test_a_cast_in_front_becomes_nothing() -> None:
    source = read_model(exported(torch.uint8, lambda m, x: x.float() / 255, True))
    assert not any(isinstance(module, Elementwise) for _, module in source.program.calls())


def test_a_file_is_read_alike(tmp_path: Path) -> None:
    torch.export.save(exported(torch.uint8, lambda m, x: x.float() / 255, True), tmp_path / "model.pt2")
    assert read_model(tmp_path / "model.pt2").pixel_range == (0.0, 255.0)


def test_a_float_image_has_no_note() -> None:
    source = read_model(exported(torch.float32, lambda m, x: x / 255, True))
    assert source.pixel_range is None and source.notes == ()


def test_truth_values_are_no_image() -> None:
    with pytest.raises(InputError, match="no tensor of numbers"):
        read_model(exported(torch.bool, lambda m, x: x.float(), True))
