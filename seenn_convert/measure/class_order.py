"""Whether the ANN's answers would fit the labels if its outputs stood for the classes in another order."""

import shlex
from collections.abc import Sequence

import torch
from torch import Tensor

from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.measure.chance import most_frequent, near_chance
from seenn_convert.measure.intervals import is_clearly_better

LEAST_GAIN = 2.0
"""Points of accuracy from which another order is worth a warning."""

LEAST_EXPLAINED = 0.5
"""Share of the images that an order has to explain."""

LISTED = 20
"""Most classes of which a sentence lists the whole order."""

FEWEST = 20
"""Images from which an order is looked for."""

FEW = 5
"""Classes that a sentence names where it cannot list them all."""


def class_order_caution(
    answers: Tensor, labels: Tensor, classes: int, names: Sequence[str] | None, network: str = "the ANN"
) -> tuple[float, Caution] | None:
    """Return the share of the answers that another order of the classes explains, and a warning with that order.

    None if none explains far more than the order given, and more than one answer for all images would.

    An order is learned from one half of the images and judged on the other, so one that only fits chance is not found.

    Args:
        answers: ``(N,)``, the ANN's.
        labels: ``(N,)`` true classes.
        classes: Number of outputs.
        names: Of the classes, as the labels number them; None where they are not known.
        network: What gave the answers, in words.
    """
    if len(labels) < FEWEST:
        return None
    right, explained = answers == labels, torch.zeros(len(labels), dtype=torch.bool)
    halves = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0)).chunk(2)
    for learned, judged in (halves, halves[::-1]):
        order = likely_order(answers[learned], labels[learned], classes)
        explained[judged] = order[answers[judged]] == labels[judged]
    share = float(explained.double().mean())
    if share < LEAST_EXPLAINED or near_chance(share, most_frequent(labels)):
        return None
    if not is_clearly_better(explained, right, LEAST_GAIN):
        return None
    from_one = names is not None and _are_numbers(names) and float((answers + 1 == labels).double().mean()) >= share
    whole = likely_order(answers, labels, classes).tolist()
    return share, Caution(
        "class_order",
        f"{network} is right on {right.double().mean():.1%} of these images, and on {share:.1%} if "
        + (_from_one_text(names) if names is not None and from_one else _order_text(whole, names)),
    )


def likely_order(answers: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return for each output the class ``(K,)`` that it most likely stands for, each class once.

    The pairs of output and class that meet most often come first; outputs that were never the answer keep their own
    class if it is free.
    """
    pairs, counts = torch.unique(torch.stack([labels, answers], dim=1), dim=0, return_counts=True)
    met = zip(counts.tolist(), pairs.tolist(), strict=True)
    order, free = torch.full((classes,), -1), torch.ones(classes, dtype=torch.bool)
    for _, _, label, output in sorted((-count, label != output, label, output) for count, (label, output) in met):
        if order[output] < 0 and free[label]:
            order[output], free[label] = label, False
    for output in (order < 0).nonzero().flatten().tolist():
        if free[output]:
            order[output], free[output] = output, False
    order[order < 0] = free.nonzero().flatten()
    return order


def _are_numbers(names: Sequence[str]) -> bool:
    """Return whether each class is named by the number of its output, from 0."""
    return all(name.isascii() and name.isdigit() and int(name) == number for number, name in enumerate(names))


def _from_one_text(names: Sequence[str]) -> str:
    """Return what to do if classes are numbered from 1; ``names`` are numbers from 0, all of one length or not."""
    digits = len(names[0])
    numbers = [f"{number:0{digits}d}" for number in range(1, len(names) + 1)]
    listed = (
        ",".join(numbers) if len(names) <= LISTED else f"FILE, a text with {numbers[0]} to {numbers[-1]}, one per line"
    )
    return f"its outputs stand for the numbers from 1 on: convert with --class-names {listed}"


def _order_text(order: Sequence[int], names: Sequence[str] | None) -> str:
    moved = [(output, label) for output, label in enumerate(order) if output != label]
    shown = [repr(name) for name in names] if names else [f"class {number}" for number in range(len(order))]
    pairs = [f"{shown[output]} for {shown[label]}" for output, label in moved[:FEW]]
    if len(moved) > FEW:
        pairs.append(f"and so on for {len(moved) - FEW} more")
    said = f"its outputs stand for the classes in another order (it answers {', '.join(pairs)})"
    return f"{said}: {_remedy(order, names)}"


def _remedy(order: Sequence[int], names: Sequence[str] | None) -> str:
    if names and len(order) <= LISTED and not any("," in name or not name.isprintable() for name in names):
        return f"convert with --class-names {shlex.quote(','.join(names[label] for label in order))}"
    if names:
        return "convert with --class-names FILE, a text that has the names in the model's order, one per line"
    table = f", y = np.array({torch.tensor(order).argsort().tolist()})[y]" if len(order) <= LISTED else ""
    return f"number the labels y as the model does{table}"
