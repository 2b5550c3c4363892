"""Answers that fit the labels in another order of the classes are named with that order, and nothing else is."""

import pytest
import torch
from torch import Tensor

from seenn_convert.measure.class_order import class_order_caution, likely_order


def answers_of(labels: Tensor, order: list[int], right: float = 1.0, seed: int = 0) -> Tensor:
    """Return the answers of a model whose output i stands for class ``order[i]``; a share of them is drawn at random."""
    generator = torch.Generator().manual_seed(seed)
    said = torch.tensor(order).argsort()[labels]
    wrong = torch.rand(len(labels), generator=generator) >= right
    return torch.where(wrong, torch.randint(len(order), (len(labels),), generator=generator), said)


def labels_of(count: int, classes: int, seed: int = 1) -> Tensor:
    return torch.randint(classes, (count,), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("right", [1.0, 0.7])
@pytest.mark.parametrize("order", [[1, 0], [0, 1, 4, 3, 2], [4, 0, 1, 2, 3], [0, 1, 10, 2, 3, 4, 5, 6, 7, 8, 9]])
def test_another_order_is_found(order: list[int], right: float) -> None:
    labels = labels_of(300, len(order))
    names = [f"n{label}" for label in range(len(order))]
    answers = answers_of(labels, order, right)

    assert likely_order(answers, labels, len(order)).tolist() == order
    caution = class_order_caution(answers, labels, len(order), names)
    assert caution is not None
    assert caution[1].text.endswith(f"--class-names {','.join(names[label] for label in order)}")


@pytest.mark.parametrize(("names", "advice"), [
    (["0", "1", "2", "3", "4"], "--class-names 1,2,3,4,5"),
    (["00", "01", "02", "03", "04"], "--class-names 01,02,03,04,05"),
    ([f"{number:03d}" for number in range(100)], "FILE, a text with 001 to 100, one per line"),
])  # fmt: skip
def test_folders_that_are_numbered_from_one_are_told_as_such(names: list[str], advice: str) -> None:
    """Only some of the classes are there, so the order of the others has to come from the numbers."""
    labels = torch.tensor([1, 3, 4]).repeat(40)
    caution = class_order_caution(labels - 1, labels, len(names), names)
    assert caution is not None and caution[1].text.endswith(advice)


def test_the_advice_for_labels_without_names_works() -> None:
    """Renumbered as the sentence says, every label is the answer."""
    labels = labels_of(100, 4)
    answers = answers_of(labels, [2, 0, 3, 1])
    caution = class_order_caution(answers, labels, 4, None)

    assert caution is not None
    table = torch.tensor(eval(caution[1].text.split("np.array(")[1].split(")")[0]))
    assert torch.equal(table[labels], answers)


@pytest.mark.parametrize("right", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize(("classes", "count"), [(2, 100), (10, 200), (100, 500), (1000, 1000)])
def test_answers_in_the_order_of_the_labels_are_no_warning(classes: int, count: int, right: float) -> None:
    """Also where the model only guesses: an order that fits one half of the images by chance fails on the other."""
    for seed in range(5):
        labels = labels_of(count, classes, seed)
        answers = answers_of(labels, list(range(classes)), right, seed + 10)
        assert class_order_caution(answers, labels, classes, None) is None


def test_two_classes_that_are_often_mixed_up_are_no_other_order() -> None:
    """All images of class 3 are taken for class 2, whose own images are, too: no order explains that."""
    labels = labels_of(300, 5)
    answers = torch.where(labels == 3, 2, labels)

    assert class_order_caution(answers, labels, 5, None) is None


def test_one_answer_for_all_images_is_no_other_order() -> None:
    """Where most images are of one class, the order that gives that answer to it explains most of them."""
    labels = (torch.arange(200) % 10 > 0).long()

    assert class_order_caution(torch.zeros(200).long(), labels, 2, None) is None


def test_classes_without_images_keep_their_place() -> None:
    labels = labels_of(100, 3)
    order = likely_order(answers_of(labels, [1, 0, 2]), labels, 6)

    assert order.tolist() == [1, 0, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("names", "end"),
    [
        (["New York", "b", "it's"], "--class-names 'b,New York,it'\"'\"'s'"),
        (["a,b", "c", "d"], "--class-names FILE, a text that has the names in the model's order, one per line"),
        (["a\nb", "c", "d"], "--class-names FILE, a text that has the names in the model's order, one per line"),
    ],
)
def test_names_can_be_given_to_a_shell(names: list[str], end: str) -> None:
    labels = labels_of(60, 3)
    caution = class_order_caution(answers_of(labels, [1, 0, 2]), labels, 3, names)

    assert caution is not None
    assert caution[1].text.endswith(end)
    assert "\n" not in caution[1].text


@pytest.mark.parametrize("count", [1, 2, 19])
def test_a_few_images_show_no_order(count: int) -> None:
    labels = torch.arange(count) % 2
    assert class_order_caution(1 - labels, labels, 2, None) is None
