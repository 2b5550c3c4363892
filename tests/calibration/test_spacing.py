"""Of very many values, evenly spaced ones are enough for a mean."""

import torch

from seenn_convert.calibration.spacing import evenly_spaced


def test_slices_across_the_longest_axis_are_taken() -> None:
    values = torch.arange(2 * 3 * 6 * 9).reshape(2, 3, 6, 9)
    assert torch.equal(evenly_spaced(values, (2, 3), 3), values[..., 1::3])
    assert torch.equal(evenly_spaced(values, (2,), 100), values[:, :, 3:4])  # one slice is left
    assert evenly_spaced(values, (2, 3), 1.4) is values and evenly_spaced(values, (), 1) is values
