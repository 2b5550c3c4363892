"""The parts of a layer's rate error add up to it, and each is what its name says."""

import pytest
import torch
from torch import nn

from seenn_convert.ir.operators import ClippedReLU, Encode
from seenn_convert.measure.rate_error import PARTS, split_error
from seenn_convert.neurons.layers import BinaryNeuron, EncodingNeuron, SignedNeuron, TrackingNeuron
from seenn_convert.neurons.types import Group, MultiLevel, NeuronType, UnsignedMultiLevel

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


@pytest.mark.parametrize("neuron_type", [MultiLevel(3), UnsignedMultiLevel(3), Group(4)])
def test_many_levels_clip_at_the_threshold_and_round_to_a_unit(neuron_type: NeuronType) -> None:
    """A threshold of 1 in units of a quarter, over 8 timesteps: 1.3 is clipped to 1, 0.4 rounded to 13 of 32 units."""
    neuron = neuron_type.rectifying(ONE.reshape(1))
    for current, clipping, quantisation in ((1.3, -0.3, 0.0), (0.4, 0.0, 13 / 32 - 0.4), (-1.0, 0.0, 0.0)):
        values = [torch.tensor([[x]]) for x in (0.25, current, current, current)]
        parts = split_error(neuron, nn.ReLU(), *values, 8)
        assert float(parts["clipping"]) == pytest.approx(clipping, abs=1e-6)
        assert float(parts["quantisation"]) == pytest.approx(quantisation, abs=1e-6)
        rounded = max(min(current, 1.0), 0.0) + quantisation
        assert float(parts["unevenness"]) == pytest.approx(0.25 - rounded, abs=1e-6)
