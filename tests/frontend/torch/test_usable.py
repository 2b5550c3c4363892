"""A module that cannot be traced is refused for what it is, with advice that works."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.ao.nn.quantized import Quantize

from seenn_convert.errors import InputError
from seenn_convert.frontend.torch.read import from_torch

SMALL = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)).eval()


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Numpy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(x.numpy() * 2)


class TooLarge(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(0, 1e39)


class Joined(nn.Module):
    """A part of another kind inside an ordinary model."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        return self.part(x)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (torch.jit.trace(SMALL, torch.zeros(1, 4)), r"compiled by torch.jit .* give the nn.Module"),
        (Joined(torch.jit.script(SMALL)), r"compiled by torch.jit \(part, "),
        (Joined(Quantize(1.0, 0, torch.quint8)), r"quantised layers \(part\)"),
        (nn.Sequential(nn.LazyLinear(3)), r"layers without weights \(0\)"),
        (nn.Sequential(nn.Linear(4, 3, device="meta")), r"without values, on the device meta \(0\)"),
        (SMALL.train(False), None),
        (nn.Dropout(), r"in training mode \(Dropout\); call model.eval\(\)"),
        (Branching(), "branches on numbers that it computes from the image"),
        (Numpy(), "leaves PyTorch for numpy"),
        (TooLarge(), "a number that float32 cannot hold"),
    ],
)
def test_what_a_module_must_be(module: nn.Module, reason: str | None) -> None:
    """Scripted, quantised, lazy, elsewhere, in training mode; and what PyTorch's messages mean."""
    if not isinstance(module, nn.Dropout):
        module.eval()
    if reason is None:
        from_torch(module, (4,))
        return
    with pytest.raises(InputError, match=reason) as caught:
        from_torch(module, (4,))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrap",
    [
        partial(torch.compile, backend="eager"),
        nn.DataParallel,
        lambda m: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), m),
        lambda m: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)), m),
        lambda m: nn.Sequential(nn.utils.parametrizations.orthogonal(nn.Linear(4, 4)), m),
    ],
)
def test_wrappers_are_read_as_what_they_wrap(wrap) -> None:
    model = wrap(SMALL.eval()).eval()
    images = torch.randn(3, 4)
    program = from_torch(model, (4,))
    with torch.no_grad():
        assert torch.allclose(program(images), getattr(model, "module", model)(images), atol=1e-6)
