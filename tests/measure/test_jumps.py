"""Behind an operator that jumps at zero, neurons that take nothing back keep their error, and the report says so."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seenn_convert as sc
from seenn_convert.calibration.rules import MaxRule

IMAGES = torch.randn(40, 3, 6, 6, generator=torch.Generator().manual_seed(0))


class Normalised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 4, 3), nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.normalize(torch.relu(self.conv(torch.relu(x)[:, :, :, :]) - 0.4), dim=1).flatten(1))


@pytest.mark.parametrize(
    ("neuron", "warned"),
    [("signed", False), ("tracking", False), ("multilevel", False), ("group", False), ("if", True),
     ("multilevel-unsigned", True)],
)  # fmt: skip
def test_the_warning(neuron: str, warned: bool) -> None:
    torch.manual_seed(0)
    artifact = sc.convert(
        Normalised().eval(), IMAGES, sc.Options(timesteps=2, calibration="fast", neuron=neuron, rule=MaxRule())
    )
    assert artifact.report.conversion is not None
    found = [one.text for one in artifact.report.conversion.warnings if one.code == "jumps_at_zero"]

    assert len(found) == warned
    assert all(f"{neuron} neurons never take back" in text for text in found)
