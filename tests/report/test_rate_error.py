"""The parts of a layer's rate error add up to it, and each is what its name says."""

import pytest
import torch
from torch import nn

from seenn_convert.operators import ClippedReLU, Encode
from seenn_convert.report.rate_error import PARTS, split_error
from seenn_convert.spiking import BinaryNeuron, EncodingNeuron, SignedNeuron, TrackingNeuron

ONE = torch.tensor(1.0)


@pytest.mark.parametrize(("kind", "activation"), [
    (BinaryNeuron, nn.ReLU()), (SignedNeuron, ClippedReLU(0.8)), (TrackingNeuron, nn.ReLU()), (EncodingNeuron, Encode()),
])  # fmt: skip
def test_the_parts_add_up(kind: type[SignedNeuron], activation: nn.Module) -> None:
    output, current, late, wanted = torch.randn(4, 50, 6)
    parts = split_error(kind(ONE, ONE / 2), activation, output, current, late, wanted, 8)
    assert tuple(parts) == PARTS
    assert torch.allclose(sum(parts.values()), output - wanted, atol=1e-5)


def test_each_part_by_hand() -> None:
    """A current of 1.3, 1.9 once settled, where the ANN has 2; eight steps of a binary neuron that sent 0.75."""
    values = [torch.tensor([[x]]) for x in (0.75, 1.3, 1.9, 2.0)]
    parts = split_error(BinaryNeuron(ONE, ONE / 2), nn.ReLU(), *values, 8)
    assert {name: round(float(part), 4) for name, part in parts.items()} == {
        "startup": -0.6, "upstream": -0.1, "clipping": -0.3, "quantisation": 0.0, "unevenness": -0.25
    }  # fmt: skip


def test_what_is_no_whole_number_of_spikes_is_quantisation() -> None:
    values = [torch.tensor([[x]]) for x in (0.375, 0.4, 0.4, 0.4)]
    parts = split_error(SignedNeuron(ONE, ONE / 2), nn.ReLU(), *values, 8)
    assert float(parts["quantisation"]) == pytest.approx(-0.025)
    assert float(parts["unevenness"]) == pytest.approx(0)
