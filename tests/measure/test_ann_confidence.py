"""Training leaves the scale of the logits where the labels do not pull at it; new images pull towards less confidence."""

import torch
from torch import Tensor, nn

from seenn_convert.artifact.schema.shared import AnnConfidence
from seenn_convert.measure.ann_confidence import CLEARLY, ENOUGH, ann_confidence, confidence_differs, looks_new


def drawn(seed: int, images: int = 400, scale: float = 2.0) -> tuple[Tensor, Tensor]:
    """Return logits ``(N, 5)`` and labels drawn from the probabilities that they state."""
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(images, 5, generator=generator)
    return logits, torch.multinomial(torch.softmax(logits, -1), 1, generator=generator).squeeze(1)


def test_average_and_deviation_are_those_of_the_largest_probability() -> None:
    logits = torch.tensor([[0.0, 0.0], [0.0, torch.tensor(3.0).log()]])
    found = ann_confidence(logits, None)
    assert (found.images, found.overconfidence) == (2, None)
    assert abs(found.average - 0.625) < 1e-6 and abs(found.deviation - 0.125 * 2**0.5) < 1e-6


def test_the_slope_is_that_of_the_likelihood_in_the_scale_of_the_logits() -> None:
    """By autograd: the mean over images has the sign and the zero of the derivative at 1."""
    logits, labels = drawn(0)
    for scale in (0.5, 1.0, 2.0):
        by = torch.ones(len(logits), 1, dtype=torch.float64, requires_grad=True)
        loss = nn.functional.cross_entropy(by * scale * logits.double(), labels, reduction="sum")
        (slopes,) = torch.autograd.grad(loss, by)
        expected = float(slopes.mean() / (slopes.std() / len(slopes) ** 0.5))
        assert abs(ann_confidence(scale * logits, labels).overconfidence - expected) < 1e-6


def test_images_of_which_the_ann_is_rightly_sure_are_hardly_ever_taken_for_new() -> None:
    """The level is that of a normal variable above 3: 0.13 %; of 1,000 draws at most 6 with probability 99.9 %."""
    taken = sum(looks_new(ann_confidence(*drawn(seed, 200))) for seed in range(1000))
    assert CLEARLY == 3 and taken <= 6


def test_images_of_which_it_is_too_sure_are_new() -> None:
    logits, labels = drawn(1, 1000)
    assert looks_new(ann_confidence(2 * logits, labels)) and not looks_new(ann_confidence(0.5 * logits, labels))
    assert not looks_new(ann_confidence(2 * logits[: ENOUGH - 1], labels[: ENOUGH - 1]))
    assert not looks_new(ann_confidence(2 * logits, None)) and not looks_new(None)


def test_a_network_trained_to_the_end_does_not_pull_on_its_own_images_and_does_on_new_ones() -> None:
    """Logistic regression with as many weights as it takes to overfit: its gradient along its own weights is zero."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1200, 40, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(torch.softmax(images[:, :3], -1), 1, generator=generator).squeeze(1)
    layer = nn.Linear(40, 3, dtype=torch.float64)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = nn.functional.cross_entropy(layer(images[:200]), labels[:200])
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    with torch.no_grad():
        own, new = (ann_confidence(layer(images[part]), labels[part]) for part in (slice(200), slice(200, 1200)))
    assert abs(own.overconfidence) < 0.1 and looks_new(new)


def test_means_differ_where_chance_does_not_explain_it_and_by_enough() -> None:
    def sure(average: float, images: int = 1000) -> AnnConfidence:
        return AnnConfidence(images=images, average=average, deviation=0.1)

    critical = 3.8906 * 0.1 * (2 / 1000) ** 0.5  # of 1e-4, two-sided
    assert confidence_differs(sure(0.9), sure(0.9 - 1.01 * critical), 1e-4, 0.01)
    assert not confidence_differs(sure(0.9), sure(0.9 - 0.99 * critical), 1e-4, 0.01)
    assert not confidence_differs(sure(0.9, 10**6), sure(0.895, 10**6), 1e-4, 0.01)
