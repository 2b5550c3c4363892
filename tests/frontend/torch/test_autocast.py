"""Regions of torch.autocast: without it they are what they hold, with it they are refused with what helps."""

from pathlib import Path
from typing import Any

import pytest
import torch
import toys
from torch import Tensor, nn

from seenn_convert.errors import InputError
from seenn_convert.frontend.load import read_model

IMAGES = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def model(enabled: bool) -> toys.Toy:
    def body(m: Any, x: Tensor) -> Tensor:
        x = m.conv(x)
        with torch.autocast("cpu", enabled=enabled):
            first, second = m.other(x.relu()), x * 2
        return m.head((first + second).relu().mean((2, 3)))

    return toys.toy(body, conv=toys.conv(), other=toys.conv(4, 4), head=nn.Linear(4, 5))


def exported(enabled: bool) -> torch.export.ExportedProgram:
    return torch.export.export(model(enabled), (IMAGES,), dynamic_shapes=({0: torch.export.Dim.AUTO},), strict=False)


@pytest.mark.parametrize("is_exported", [True, False])
def test_a_region_that_is_off_is_what_it_holds(is_exported: bool) -> None:
    torch.manual_seed(0)
    one = model(False)
    program = torch.export.export(one, (IMAGES,), strict=False) if is_exported else None
    source = read_model(program or one, None if program else (3, 8, 8))

    with torch.no_grad():
        assert torch.allclose(source.program(IMAGES), one(IMAGES), atol=1e-6)
    assert source.check(IMAGES) <= 1e-5


def test_a_region_that_is_on_is_refused_with_what_helps(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"torch\.autocast changes the type .*; take it out"):
        read_model(model(True), (3, 8, 8))
    with pytest.raises(InputError, match=r"torch\.autocast changes the type .*; take it out"):
        read_model(exported(True))
    torch.export.save(exported(True), tmp_path / "m.pt2")
    with pytest.raises(InputError, match=r"without torch\.autocast"):
        read_model(tmp_path / "m.pt2")


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_a_cast_of_the_logits_is_left_out(kind: torch.dtype) -> None:
    """The image is of the type in which the network computes; the other type of its result makes no difference."""
    other = torch.float64 if kind == torch.float32 else torch.float32
    one = toys.toy(lambda m, x: m.head(m.conv(x.to(kind)).relu().mean((2, 3))).to(other), conv=toys.conv().to(kind),
                   head=nn.Linear(4, 5).to(kind))  # fmt: skip
    source = read_model(one, (3, 8, 8))

    assert source.program.input_dtype == kind
    assert source.check(IMAGES) <= 1e-6
