"""Artifacts, models and files are checked alike; what helps, helps; and no readable network raises."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
import toys
from chip_networks import NETWORKS, Block
from small_artifacts import SHAPE, artifact, dataset, trained_net
from torch import nn

import seenn_convert as sc
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.choices import CHECK_TARGET_NAMES
from seenn_convert.errors import InputError
from seenn_convert.exporters.check.findings import Fit
from seenn_convert.frontend.load import read_model


def refused(fit: Fit) -> set[str]:
    return {finding.rule for site in fit.sites for finding in site.findings if finding.weight == "refused"}


def noted(fit: Fit) -> set[str]:
    return {finding.rule for site in fit.sites for finding in site.findings if finding.weight == "note"}


@cache
def converted(**options: object) -> Artifact:
    """A small chain for a chip: average pooling, and the options that the check names."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3)
    ).eval()
    chosen = {"timesteps": 4, "calibration": "fast", "encode": "never", **options}
    return sc.convert(network, dataset(), sc.Options(**chosen))


def test_what_helps_helps() -> None:
    """Signed neurons with a bias per timestep are refused; with the options that the check names the network fits."""
    before = sc.check(converted(neuron="signed", correction="timestep", front="none"), "speck2f")
    assert not before.fits and {"neuron-type", "timestep-bias"} <= refused(before)
    remedies = " ".join(f.remedy for site in before.sites for f in site.findings if f.weight == "refused")
    assert "--neuron if" in remedies and "--correction bias" in remedies
    after = sc.check(converted(neuron="if", correction="bias", front="none"), "speck2f")
    assert after.fits and not refused(after) and "thresholds" in noted(after)


def test_graded_skips_name_the_option() -> None:
    layers = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), Block(4, 4), nn.Flatten(), nn.Linear(256, 3)
    options = sc.Options(timesteps=3, calibration="fast", front="none", encode="never", neuron="if")
    fit = sc.check(sc.convert(nn.Sequential(*layers).eval(), dataset(), options), "nir")
    graded = [site for site in fit.sites if site.part == "graded"]
    assert graded and all("--skips spiking" in f.remedy for site in graded for f in site.findings if f.rule == "parts")


def test_a_front_is_for_the_host_or_refused_by_target() -> None:
    """With one activation in the front, its convolution and the two up to the next neurons run beside the chip."""
    fronted = converted(neuron="if", correction="none", front=1)
    on_chip, in_file = sc.check(fronted, "speck2f"), sc.check(fronted, "nir")
    host = [site.part for site in on_chip.sites if site.verdict == "host"]
    assert host == ["convolution", "graded", "average_pool", "convolution", "neuron"]
    assert on_chip.fits and on_chip.of_nodes.host == pytest.approx(5 / 7) and [load.layer for load in on_chip.cores]
    assert len(on_chip.cores) == 1  # the linear layer
    assert not in_file.fits and refused(in_file) == {"front"}
    assert all("--front none" in f.remedy for site in in_file.sites for f in site.findings if f.rule == "front")
    assert sc.check(fronted, "akida2").of_nodes.host == 0


def test_events_need_no_image_to_be_turned_into_spikes(tmp_path: Path) -> None:
    still = sc.check(trained_net(), "speck2f", input_shape=SHAPE)
    moving = sc.convert(trained_net(), torch.randint(0, 2, (40, 3, *SHAPE)).float(), sc.Options(timesteps=3, calibration="fast"))
    assert "image-as-events" in noted(still) and "image-as-events" not in noted(sc.check(moving, "speck2f"))


def test_a_folder_is_checked_like_the_artifact(tmp_path: Path) -> None:
    artifact().save(tmp_path / "out")
    by_path, by_value = sc.check(tmp_path / "out", "speck2f"), sc.check(artifact(), "speck2f")
    assert by_path.sites == by_value.sites and by_path.cores == by_value.cores


def test_a_model_says_that_it_has_no_neurons_yet() -> None:
    make, shape = NETWORKS["five"]
    assert any("--neuron if" in note for note in sc.check(make().eval(), "speck2f", input_shape=shape).notes)
    assert not any("no neurons yet" in note for note in sc.check(artifact(), "speck2f").notes)


FEW = toys.tokens, toys.signal


@pytest.mark.parametrize("make", [*FEW, *(pytest.param(one, marks=pytest.mark.slow) for one in toys.ALL if one not in FEW)])
def test_no_network_raises_on_any_target(make: Callable[[], toys.Toy]) -> None:
    """Products, attention, tokens, one-dimensional convolutions: each is looked at to its end."""
    toy = make()
    source = read_model(toy, toy.input_shape)
    for target in CHECK_TARGET_NAMES:
        found = sc.check(source, target)
        assert found.sites and all(site.verdict in ("fits", "host", "refused") for site in found.sites)


def test_an_unknown_target_is_one_sentence() -> None:
    with pytest.raises(InputError, match="no such target"):
        sc.check(artifact(), "tpu")


class Steps(nn.Module):
    """One timestep of a network that was trained as a spiking one: neurons that forget a fifth of their potential."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(144, 3)

    def step(self, image: torch.Tensor, state: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        current = self.conv(image)
        v = 0.8 * (torch.zeros_like(current) if state is None else state) + current
        spikes = (v >= 0.5).to(v.dtype)
        return self.head(spikes.flatten(1)), v - 0.5 * spikes


def test_an_adopted_network_is_checked_with_the_neurons_that_it_has() -> None:
    torch.manual_seed(0)
    adopted = sc.adopt(Steps().eval(), torch.rand(40, *SHAPE), sc.AdoptOptions(timesteps=3))
    for target in CHECK_TARGET_NAMES:
        assert sc.check(adopted, target).sites
    assert refused(sc.check(adopted, "speck2f")) == {"neuron-type"}
