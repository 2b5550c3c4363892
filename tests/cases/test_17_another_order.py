"""Folders sort by name and the network numbers its classes otherwise: a warning names the order, and the order works."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seenn_convert as sc

NAMES = ("cross", "disc", "square", "ring", "dots")
"""In the order in which the network was trained."""

OPTIONS = sc.Options(timesteps=4, calibration="fast")
EACH = 24


def picture(label: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise with a colour and a bright stripe that only its class has."""
    values = rng.random((16, 16, 3)) * 0.3
    values[..., label % 3] += 0.4
    values[3 * label : 3 * label + 3] += 0.3
    return (np.clip(values, 0, 1) * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for label, name in enumerate(NAMES):
        (root / name).mkdir()
        for number in range(EACH):
            Image.fromarray(picture(label, rng)).save(root / name / f"{number}.png")
    return root


def trained() -> nn.Module:
    """Return a network that is right on nearly all such pictures, numbered as in ``NAMES``."""
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    labels = torch.arange(200) % len(NAMES)
    pixels = torch.tensor(np.stack([picture(label, rng) for label in labels.tolist()])).permute(0, 3, 1, 2)
    images = pixels.float() / 255
    network = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 49, len(NAMES)))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return network.eval()


def codes(artifact: sc.Artifact) -> set[str]:
    assert artifact.report.conversion is not None
    return {warning.code for warning in artifact.report.conversion.warnings}


def test_the_order_is_named_and_right(folders: Path) -> None:
    """The folders sort as cross, disc, dots, ring, square, so two classes of five are mixed up."""
    network = trained()

    artifact = sc.convert(network, folders, OPTIONS)

    text = next(warning.text for warning in artifact.report.conversion.warnings if warning.code == "class_order")
    assert "'dots' for 'square', 'square' for 'dots'" in text
    assert text.endswith(f"--class-names {','.join(NAMES)}")
    advised = sc.convert(network, folders, OPTIONS, class_names=NAMES)
    assert "class_order" not in codes(advised)
    assert advised.report.conversion.exit.held_out.reference >= 0.95


def brightness(preprocessing: sc.Preprocessing) -> nn.Module:
    """Return a network that tells dark, middling and bright pictures apart by the mean of what it is given."""
    means = torch.tensor([preprocessing.apply(torch.full((1, 1, 4, 4), value / 255)).mean() for value in (60, 130, 200)])
    network = nn.Sequential(nn.Conv2d(1, 2, 4), nn.ReLU(), nn.Flatten(), nn.Linear(2, 3))
    with torch.no_grad():
        network[0].weight[:] = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1) / 16
        network[0].bias[:] = 0
        network[3].weight[:] = 20 * torch.stack([means, -means], 1)  # -(x - c)^2 without x^2
        network[3].bias[:] = -10 * means**2
    return network.eval()


def test_a_normalisation_that_is_missing_is_named_and_right(tmp_path: Path) -> None:
    rng, labels = np.random.default_rng(0), np.arange(150) % 3
    pixels = 60 + 70 * labels.reshape(-1, 1, 1) + rng.integers(-20, 21, size=(150, 4, 4))
    np.savez(tmp_path / "x.npz", x=pixels.astype(np.uint8), y=labels)
    network = brightness(sc.Preprocessing(mean=(0.1307,), std=(0.3081,)))

    plain = sc.convert(network, tmp_path / "x.npz", OPTIONS)

    text = next(warning.text for warning in plain.report.conversion.warnings if warning.code == "preprocessing")
    assert text.endswith("with MNIST's mean and std: convert with --mean 0.1307 --std 0.3081")
    advised = sc.Preprocessing(mean=(0.1307,), std=(0.3081,))
    right = sc.convert(network, tmp_path / "x.npz", OPTIONS, preprocessing=advised)
    assert "preprocessing" not in codes(right)
    assert right.report.conversion.exit.held_out.reference >= 0.95
