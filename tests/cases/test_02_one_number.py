"""A binary classifier with one output converts, in every format, to a network that answers as its threshold does."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import toys
from torch import Tensor, nn

import seenn_convert as sc
from seenn_convert.errors import InputError
from seenn_convert.frontend.load import read_model

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not

COUNT = 240
OPTIONS = sc.Options(timesteps=8, calibration="fast")
ENDS = {
    "logit": [],
    "logit (N,)": [nn.Flatten(0)],
    "sigmoid": [nn.Sigmoid()],
    "sigmoid (N,)": [nn.Sigmoid(), nn.Flatten(0)],
}


def draw(seed: int) -> tuple[Tensor, Tensor]:
    images = torch.randn(COUNT, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    return images, (images.mean((1, 2, 3)) > 0).long()


@pytest.fixture(scope="module")
def body() -> list[nn.Module]:
    """Return the layers of a trained network with one logit, right on nearly all images."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 1)]
    network = nn.Sequential(*layers)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    images, labels = draw(1)
    for _ in range(80):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(network(images)[:, 0], labels.float()).backward()
        optimizer.step()
    return layers


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["module", "pt2", "onnx"])
@pytest.mark.parametrize("end", ENDS)
def test_the_answers_are_those_of_the_threshold(tmp_path: Path, body: list[nn.Module], end: str, kind: str) -> None:
    """Class 1 where the logit is above 0, or the sigmoid above 0.5; both classes are answered, at several times."""
    network = nn.Sequential(*body, *ENDS[end]).eval()
    images, labels = draw(2)
    with torch.no_grad():
        outputs = network(images).flatten()
    path = tmp_path / f"m.{kind}"
    if kind == "pt2":
        batch = ({0: torch.export.Dim.AUTO},)
        torch.export.save(torch.export.export(network, (images[:2],), dynamic_shapes=batch), path)
    elif kind == "onnx":
        torch.onnx.export(
            network, (images[:2],), path, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}
        )

    artifact = sc.convert(network if kind == "module" else path, (images, labels.double().unsqueeze(1)), OPTIONS,
                          class_names=("no", "yes"))  # fmt: skip

    expected = (outputs > (0.5 if "sigmoid" in end else 0)).long()
    with torch.no_grad():
        assert torch.equal(artifact.ann(images).argmax(1), expected)
    trace = artifact.model()(images)
    assert set(trace.predictions.tolist()) == {0, 1}
    assert (trace.predictions == expected).double().mean() >= 0.97
    assert artifact.report.model.classes == 2
    assert "read as two classes" in artifact.report.model.notes[0]
    found = sc.evaluate(artifact, draw(3))
    assert found.ann_accuracy >= 0.9
    assert found.early_exit.accuracy >= found.ann_accuracy - 0.03


PROBABILITIES: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": lambda z: 1 / (1 + torch.exp(-z)),
    "hardsigmoid": lambda z: nn.functional.hardsigmoid(z),
    "of three": lambda z: torch.cat([z, -z, z * 0], 1).softmax(1)[:, 0],
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["module", "onnx"])
@pytest.mark.parametrize("end", PROBABILITIES)
def test_a_probability_of_unknown_logit_is_refused(
    tmp_path: Path, body: list[nn.Module], end: str, kind: str
) -> None:
    """It is never below 0, so class 1 would be the answer for every image."""
    network = toys.toy(lambda m, x: PROBABILITIES[end](m.layers(x)), (1, 8, 8), layers=nn.Sequential(*body))
    images, labels = draw(2)
    path = tmp_path / "m.onnx"
    if kind == "onnx":
        torch.onnx.export(
            network, (images[:2],), path, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}
        )

    with pytest.raises(InputError, match="looks like a probability.* return the logit"):
        sc.convert(network if kind == "module" else path, (images, labels), OPTIONS)


@pytest.mark.parametrize("end", [lambda z: 1 - z.sigmoid(), lambda z: torch.cat([z, -z], 1).softmax(1)[:, 1]])
def test_a_probability_is_cut_at_one_half(body: list[nn.Module], end: Callable[[Tensor], Tensor]) -> None:
    network = toys.toy(lambda m, x: end(m.layers(x)), (1, 8, 8), layers=nn.Sequential(*body))
    images, _ = draw(2)
    with torch.no_grad():
        expected = (network(images).flatten() > 0.5).long()
    artifact = sc.convert(network, (images, expected), OPTIONS)

    with torch.no_grad():
        assert torch.equal(artifact.ann(images).argmax(1), expected)
    assert (artifact.model()(images).predictions == expected).double().mean() >= 0.97
    assert set(expected.tolist()) == {0, 1}


def test_confidence_is_that_of_the_sigmoid(body: list[nn.Module]) -> None:
    """It is max(p, 1 - p) of the model's own probability p, for the ANN and the temperature 1."""
    images, _ = draw(2)
    network = nn.Sequential(*body, nn.Sigmoid()).eval()
    with torch.no_grad():
        p, logits = network(images)[:, 0], read_model(network, (1, 8, 8)).program(images)

    assert torch.allclose(logits.softmax(1).amax(1), torch.maximum(p, 1 - p), atol=1e-5)
