"""Warnings about what the ANN ends in and how its answers fit the labels, at conversion and at evaluation."""

import brightness
import pytest
import small_artifacts as small
import torch
from torch import Tensor, nn

from seenn_convert.data.dataset import Dataset
from seenn_convert.data.sources import ImageSource
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.frontend.load import read_model
from seenn_convert.measure.preprocessing_trials import preprocessing_caution
from seenn_convert.measure.suspicions import output_cautions, suspicions
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert
from seenn_convert.workflows.evaluate import evaluate

OPTIONS = Options(timesteps=2, calibration="fast", target=ExitTarget(timesteps=2.0))


def codes(warnings: object) -> set[str]:
    return {one.code for one in warnings}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("end", "classes", "warned"),
    [(nn.Sigmoid(), 3, True), (nn.Identity(), 3, False), (nn.Softmax(1), 3, False), (nn.Sigmoid(), 1, False)],
)
def test_a_sigmoid_per_class_is_a_warning(end: nn.Module, classes: int, warned: bool) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, classes), end).eval()
    ann = read_model(net, small.SHAPE).program

    logits = ann(torch.randn(8, *small.SHAPE))
    assert codes(output_cautions(ann, logits)) == ({"sigmoid_per_class"} if warned else set())


def test_probabilities_whose_making_is_not_known_are_a_warning() -> None:
    """Made by hand, as ``exp(y) / exp(y).sum(1)``; their logarithm, as the warning advises, is none."""

    class Home(nn.Module):
        def __init__(self, advised: bool) -> None:
            super().__init__()
            self.head, self.advised = nn.Linear(64, 3), advised

        def forward(self, x: Tensor) -> Tensor:
            y = self.head(x.flatten(1).relu()).exp()
            p = y / y.sum(1, keepdim=True)
            return p.log() if self.advised else p

    images = torch.randn(8, *small.SHAPE)
    found = [read_model(Home(advised).eval(), small.SHAPE).program for advised in (False, True)]
    with torch.no_grad():
        assert [codes(output_cautions(ann, ann(images))) for ann in found] == [{"probabilities"}, set()]


def test_one_answer_for_all_images_is_a_warning() -> None:
    data = small.dataset(40)
    ann = read_model(small.trained_net(), small.SHAPE).program
    same, one_class = torch.eye(3)[[1] * 40], small.as_dataset(small.draw(40, 1)[0], torch.ones(40).long())
    right = torch.eye(3)[data.labels]

    assert "one_answer" in codes(suspicions(ann, data, same, range(40)))
    assert "one_answer" in codes(suspicions(ann, small.dataset(40, labelled=False), same, range(40)))
    assert "one_answer" not in codes(suspicions(ann, one_class, same, range(40)))
    assert codes(suspicions(ann, data, right, range(40))) == set()


def test_another_order_is_told_at_conversion_and_at_evaluation() -> None:
    def shifted(count: int, seed: int, by: int = 1) -> tuple[Tensor, Tensor]:
        pixels, labels = small.draw(count, seed)
        return pixels, (labels + by) % small.CLASSES

    artifact = convert(small.source(), shifted(96, 1), OPTIONS)
    right = convert(small.source(), shifted(96, 1, 0), OPTIONS)

    assert "class_order" in codes(artifact.report.conversion.warnings)
    assert "class_order" not in codes(right.report.conversion.warnings)
    found = {one.code: one.text for one in evaluate(right, shifted(64, 2)).warnings}
    assert "class_order" in found
    assert "calibrate again" not in found["ann_gap"]
    assert "class_order" not in codes(evaluate(right, shifted(64, 2, 0)).warnings)


def test_of_two_explanations_the_one_that_explains_more_is_told() -> None:
    """With two classes swapped, raw pixels are right on two thirds of the images, and the other order on all."""
    images, labels = brightness.pixels(1)
    ann = brightness.trained(1, brightness.HALVES)
    swapped = torch.tensor([1, 0, 2])[labels]
    for given, known, expected in (
        (brightness.HALVES, swapped, "class_order"),
        (brightness.HALVES, labels, None),
        (brightness.WHOLE, labels, "preprocessing"),
    ):
        data = Dataset.of(ImageSource("x.npz", images, known), given)
        logits = torch.cat([ann(batch) for batch, _ in data.batches(16)])
        told = codes(suspicions(ann, data, logits, range(len(data)))) - {"one_answer"}
        assert told == ({expected} if expected else set())
    mixed = Dataset.of(ImageSource("x.npz", images, swapped), brightness.HALVES)
    answers = torch.cat([ann(batch) for batch, _ in mixed.batches(16)]).argmax(dim=-1)
    assert preprocessing_caution(ann, mixed, answers, range(200))
