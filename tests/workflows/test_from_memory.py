"""Every workflow takes images from memory, and does with them what it does with the same images from files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_artifacts as small
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import seenn_convert as sc
from seenn_convert.calibration.rules import PercentileRule
from seenn_convert.frontend.load import read_model
from seenn_convert.measure import compare as comparing
from seenn_convert.sample import FOLDER as SAMPLE
from seenn_convert.workflows.convert.run import convert

SCALE = sc.Preprocessing(mean=(0.2860,), std=(0.3530,))
FAST = sc.Options(timesteps=3, calibration="fast", per_channel=False, rule=PercentileRule(99.9), front="none")
BARS, PLACES = small.draw(200, 1)
TEST = small.draw(60, 5)


def loader(images: Tensor, labels: Tensor, shuffle: bool = False) -> DataLoader[Any]:
    return DataLoader(TensorDataset(images, labels), batch_size=48, shuffle=shuffle)


def thresholds(artifact: sc.Artifact) -> Tensor:
    """Return all thresholds of an artifact behind one another."""
    layers = artifact.provenance.calibration.thresholds.layers.values()
    return torch.tensor([value for layer in layers for value in layer.v_threshold])


def test_a_loader_over_the_sample_gives_what_its_file_gives_and_shuffled_nearly_that(tmp_path: Path) -> None:
    archive = np.load(SAMPLE / "calibration.npz")
    pixels, labels = archive["x"][:100], torch.from_numpy(archive["y"][:100].astype(np.int64))
    np.savez(tmp_path / "few.npz", x=pixels, y=labels.numpy())
    images = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - 0.2860) / 0.3530
    model = read_model(SAMPLE / "fashion_mnist.pt2")

    file = sc.convert(model, tmp_path / "few.npz", FAST, preprocessing=SCALE)
    ordered = sc.convert(model, loader(images, labels), FAST, preprocessing=SCALE)
    shuffled = sc.convert(model, loader(images, labels, shuffle=True), FAST)

    assert len(thresholds(file)) == 5
    assert torch.equal(thresholds(ordered), thresholds(file))
    assert (ordered.policy, ordered.preprocessing) == (file.policy, SCALE)
    assert shuffled.preprocessing == sc.Preprocessing()
    assert not torch.equal(thresholds(shuffled), thresholds(file))  # other images fit, others are held out
    torch.testing.assert_close(thresholds(shuffled), thresholds(file), rtol=0.2, atol=0)
    held_out = [a.report.conversion.exit.held_out.accuracy for a in (file, shuffled)]
    assert abs(held_out[0] - held_out[1]) < 0.1


def test_every_workflow_takes_a_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "TIMED_IMAGES", 16)
    ordered = convert(small.source(), loader(BARS, PLACES), FAST)
    assert torch.equal(thresholds(ordered), thresholds(convert(small.source(), (BARS, PLACES), FAST)))

    again = sc.recalibrate(ordered, loader(BARS, PLACES), FAST)
    planned = sc.attach_policy(ordered, loader(BARS, PLACES, shuffle=True), sc.PolicyOptions(policy="planned", epochs=2))
    found = comparing.compare(ordered, loader(*TEST), loader(BARS, PLACES), batch_size=40)

    assert torch.equal(thresholds(again), thresholds(ordered))
    assert planned.snn.policy_head is not None
    assert (found.data.images, found.calibration_data.images) == (60, 200)


def test_evaluation_of_a_loader_in_any_order_is_the_same() -> None:
    tensors, shuffled = (sc.evaluate(small.artifact(), data) for data in (TEST, loader(*TEST, shuffle=True)))
    expected = sc.evaluate(small.artifact(), small.dataset(60, 5))

    for found in (tensors, shuffled):
        assert found.ann_accuracy == expected.ann_accuracy
        assert found.accuracy_at == expected.accuracy_at
        assert found.early_exit.exit_counts == expected.early_exit.exit_counts
    assert tensors.data.fingerprint == expected.data.fingerprint


def test_calibration_images_from_memory_are_recognised_in_a_test_set() -> None:
    artifact = convert(small.source(), (BARS, PLACES), FAST)

    whole = sc.evaluate(artifact, loader(BARS, PLACES)).warnings
    part = sc.evaluate(artifact, sc.as_samples((BARS, PLACES)).take(50)).warnings

    assert any("these are the calibration images" in one.text for one in whole)
    assert any("these are among the calibration images" in one.text for one in part)


def test_rows_of_numbers_are_converted_and_evaluated_as_well() -> None:
    """A network of linear layers, whose inputs are no images."""
    rows, labels = BARS.flatten(1), PLACES
    net = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 3)).eval()

    artifact = sc.convert(net, loader(rows, labels), FAST)
    found = sc.evaluate(artifact, (rows[:40], labels[:40]))

    assert artifact.snn.input_shape == (64,)
    assert found.data.images == 40
    assert not found.examples.easy  # there is nothing to show
