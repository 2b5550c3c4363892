"""Number formats of a chip: what is rounded, by how much, and that fine formats change nothing."""

from functools import cache

import pytest
import torch
from small_artifacts import artifact as small_artifact
from small_artifacts import dataset
from torch import nn

import seenn_convert as sc
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.errors import InputError
from seenn_convert.exporters.check.formats import WholeNumbers
from seenn_convert.exporters.check.precision import simulate
from seenn_convert.exporters.check.reading import network_of_artifact
from seenn_convert.exporters.check.target import Precision, Target, read_target


@cache
def chain(per_channel: bool) -> Artifact:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3)
    ).eval()
    options = sc.Options(timesteps=4, calibration="fast", neuron="if", correction="none", front="none", encode="never", per_channel=per_channel)
    return sc.convert(network, dataset(), options)


def modules(model: sc.SpikingModel) -> dict[str, nn.Module]:
    graphs = (model.stem, model.step_graph)
    return {n.name: g.get_submodule(str(n.target)) for g in graphs for n in g.graph.nodes if n.op == "call_module"}


def target(weight_bits: int, state_bits: int | None) -> Target:
    precision = Precision(weight_bits, "layer", "this test", state_bits)
    return Target(title="Test", runs="spikes", front="chip", accepts=(), source="this test", precision=precision)


@pytest.mark.parametrize("per_channel", [False, True])
def test_weights_are_whole_numbers_of_one_scale_once_thresholds_are_folded(per_channel: bool) -> None:
    """W' = W * theta_in / theta_out, times 127 / max(|W'|, |b'|), is a whole number, at most 1/2 from what it was."""
    made = chain(per_channel)
    before = modules(made.model())
    after = modules(WholeNumbers(made, network_of_artifact(made), Precision(8, "layer", "", 16)).model)
    first, second = (before[name].v_threshold.reshape(-1) for name in ("layer_1", "layer_4"))
    one = torch.ones(1)
    folds = {
        "layer_0": (one, first), "layer_3": (first, second),
        "layer_6": (second.repeat_interleave(4), one),
    }  # fmt: skip
    for name, (read, behind) in folds.items():
        weight, bias = before[name].weight, before[name].bias
        read = read.reshape(1, -1, *[1] * (weight.dim() - 2))
        behind = behind.reshape(-1, *[1] * (weight.dim() - 1))
        folded = weight * read / behind
        most = max(folded.abs().max(), (bias / behind.flatten()).abs().max())
        whole = (after[name].weight * read / behind * 127 / most).double()
        assert torch.allclose(whole, whole.round(), atol=1e-3) and whole.abs().max() <= 127.001
        assert (whole - (folded * 127 / most)).abs().max() <= 0.501


def test_thresholds_are_whole_numbers_of_the_same_scale() -> None:
    made = chain(False)
    before, after = modules(made.model()), modules(WholeNumbers(made, network_of_artifact(made), Precision(8, "layer", "", 16)).model)
    theta_in, theta = before["layer_1"].v_threshold.max(), before["layer_4"].v_threshold.max()
    folded = max((before["layer_3"].weight.abs() * theta_in / theta).max(), (before["layer_3"].bias.abs() / theta).max())
    scale = 127 / folded
    assert (after["layer_4"].v_threshold.max() / theta * scale).item() == pytest.approx(scale.round().item(), rel=1e-5)


def test_fine_formats_change_nothing_and_coarse_ones_much() -> None:
    made, data = chain(True), dataset(64, seed=3)
    network = network_of_artifact(made)
    fine = simulate(made, network, target(22, None), data, 32)
    coarse = simulate(made, network, target(2, None), data, 32)
    narrow = simulate(made, network, target(8, 4), data, 32)
    assert fine.answers_changed == 0 and fine.exits_changed <= 1
    assert coarse.answers_changed > 5
    assert fine.saturated == coarse.saturated == 0 < narrow.saturated


def test_the_check_says_what_the_formats_do() -> None:
    fit = sc.check(small_artifact(), "speck2f", data=dataset(60, seed=3), limit=40)
    found = fit.precision
    assert found is not None and found.images == 40 and found.accuracy is not None
    assert abs(found.accuracy[0] - found.accuracy[1]) <= found.answers_changed / 40
    with pytest.raises(InputError, match="not stated"):
        sc.check(small_artifact(), "nir", data=dataset(8))
    with pytest.raises(InputError, match="runs the ANN"):
        sc.check(small_artifact(), "akida2", data=dataset(8))


def test_the_artifact_is_not_changed() -> None:
    made = small_artifact()
    before = {name: value.clone() for name, value in made.snn.graph_module.state_dict().items()}
    _, limits = read_target("speck2f")
    simulate(made, network_of_artifact(made), limits, dataset(16), 16)
    assert all(torch.equal(value, before[name]) for name, value in made.snn.graph_module.state_dict().items())
