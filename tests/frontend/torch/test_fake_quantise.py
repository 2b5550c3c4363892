"""Fake quantisation is traced as arithmetic that gives the same numbers."""

from typing import Any

import harness
import pytest
import torch
import toys
from torch import nn
from torch.ao import quantization

from seenn_convert.errors import InputError
from seenn_convert.frontend.load import read_model
from seenn_convert.frontend.torch.fake_quantise import FakeQuantisationInArithmetic

SCALES, ZEROS = torch.tensor([0.1, 0.02, 0.5]), torch.tensor([0, 3, -2], dtype=torch.int32)

CALLS = {
    "numbers": lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 3, 0, 15),
    "tensors": lambda x: torch.fake_quantize_per_tensor_affine(x, SCALES[0], ZEROS[1], -8, 7),
    "channels": lambda x: torch.fake_quantize_per_channel_affine(x, SCALES, ZEROS, 1, -128, 127),
    "by name": lambda x: torch.fake_quantize_per_channel_affine(
        x, scale=SCALES, zero_point=ZEROS, axis=1, quant_min=-8, quant_max=7
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_numbers_are_those_of_pytorch(name: str) -> None:
    x = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    wanted = CALLS[name](x)
    with FakeQuantisationInArithmetic():
        found = CALLS[name](x)

    assert torch.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("name", CALLS)
def test_a_network_with_it_is_read(name: str) -> None:
    model = toys.toy(lambda m, x: CALLS[name](x).flatten(1))
    program = harness.as_program(model)
    image = harness.images(program)

    harness.assert_same(program(image), model(image))


def trained(observer: Any, kind: Any, **options: Any) -> toys.Toy:
    """Return a network whose activations a ``FakeQuantize`` has observed, which is still on."""
    fake = kind.with_args(observer=observer, quant_min=0, quant_max=15, **options)()
    model = toys.toy(lambda m, x: m.head(m.fake(m.conv(x).relu()).mean((2, 3))), conv=toys.conv(), fake=fake,
                     head=nn.Linear(4, 5))  # fmt: skip
    model(torch.randn(8, 3, 8, 8))
    return model


KINDS = {
    "one scale": (quantization.MovingAverageMinMaxObserver, quantization.FakeQuantize, {}),
    "a scale per channel": (quantization.MovingAveragePerChannelMinMaxObserver, quantization.FakeQuantize,
                            {"ch_axis": 1, "qscheme": torch.per_channel_affine}),
    "fused": (quantization.MovingAverageMinMaxObserver, quantization.FusedMovingAvgObsFakeQuantize, {}),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_modules_are_read_once_they_do_not_observe(kind: str, is_on: bool) -> None:
    """Nothing is left on the user's module; switched off, they do nothing."""
    observer, fake, options = KINDS[kind]
    model = trained(observer, fake, **options)
    with pytest.raises(InputError, match=r"follows the images \(fake\); fix it with model\.apply\(.*disable_observer\)"):
        read_model(model, (3, 8, 8))

    model.apply(quantization.disable_observer)
    if not is_on:
        model.apply(quantization.disable_fake_quant)
    source = read_model(model, (3, 8, 8))
    images = torch.randn(16, 3, 8, 8)
    with torch.no_grad():
        assert torch.allclose(source.program(images), model(images), atol=1e-5)
    assert source.check(images) <= 1e-5
    assert "forward" not in vars(model.fake)


@pytest.mark.filterwarnings("ignore")
def test_an_exported_program_that_may_observe_is_refused_with_what_helps() -> None:
    observer, fake, options = KINDS["fused"]
    exported = torch.export.export(trained(observer, fake, **options), (torch.randn(2, 3, 8, 8),))
    with pytest.raises(InputError, match="scale may follow the images; give the nn.Module, after model.apply"):
        read_model(exported)
