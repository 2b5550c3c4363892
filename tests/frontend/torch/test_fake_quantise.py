"""Fake quantisation is traced as arithmetic that gives the same numbers."""

import harness
import pytest
import torch
import toys

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
