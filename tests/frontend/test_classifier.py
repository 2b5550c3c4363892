"""What a model returns is read as logits (B, K): axes of 1, one number per image, softmax and sigmoid at the end."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import toys
from reading import Body
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.errors import InputError, PostconditionError
from seenn_convert.frontend.load import read_model
from seenn_convert.frontend.source import Source
from seenn_convert.ir.program import format_program

SHAPE = (3, 8, 8)
IMAGES = torch.randn(6, *SHAPE, generator=torch.Generator().manual_seed(3))


def model(end: Callable[[Tensor], Tensor], classes: int) -> nn.Module:
    """Return a classifier whose ``classes`` scores go through ``end``."""
    return toys.toy(lambda m, x: end(m.head(F.relu(x).mean((2, 3)))), head=nn.Linear(3, classes))


def scores(one: nn.Module, images: Tensor = IMAGES) -> Tensor:
    """Return what the head of ``model`` says."""
    with torch.no_grad():
        return one.head(F.relu(images).mean((2, 3)))  # type: ignore[operator,no-any-return]


def sources(one: nn.Module, folder: Path) -> list[Source]:
    """Return what is read of the module, which is exported for any batch, of an export for two, and of its ONNX file."""
    fixed = torch.export.export(one, (IMAGES[:2],))
    torch.onnx.export(
        one, (IMAGES,), folder / "m.onnx", dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}
    )
    return [read_model(one, SHAPE), read_model(fixed), read_model(folder / "m.onnx")]


ENDS = {
    "ones": (lambda y: y[..., None, None], 5),
    "one": (lambda y: y[..., None], 5),
    "ones in front": (lambda y: y[:, None, None], 5),
    "softmax": (lambda y: y.softmax(1), 5),
    "softmax over channels": (lambda y: y[..., None, None].softmax(1), 5),
    "softmax, flattened": (lambda y: y[..., None, None].softmax(1).flatten(1), 5),
    "two classes": (lambda y: y.softmax(-1), 2),
    "log-softmax": (lambda y: F.log_softmax(y, 1), 5),
    "log of softmax": (lambda y: y.softmax(1).log(), 5),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("end", ENDS)
def test_the_logits_of_several_classes_are_found(tmp_path: Path, end: str) -> None:
    """Logits are what the head gives, whatever rearranges or squashes them behind it."""
    function, classes = ENDS[end]
    one = model(function, classes)

    for source in sources(one, tmp_path):
        with torch.no_grad():
            assert torch.allclose(source.program(IMAGES), scores(one), atol=1e-6)
        assert source.check(IMAGES) < 1e-4
        assert len(source.notes) == (2 if "over channels" in end else 1)


BINARY_ENDS = {
    "(N, 1)": (lambda y: y, False),
    "(N,)": (lambda y: y.flatten(), False),
    "(N, 1, 1, 1)": (lambda y: y[..., None, None], False),
    "sigmoid": (torch.sigmoid, True),
    "sigmoid, squeezed": (lambda y: torch.sigmoid(y).squeeze(1), True),
    "sigmoid, taken out": (lambda y: torch.sigmoid(y)[:, 0], True),
    "squeezed, sigmoid": (lambda y: torch.sigmoid(y.view(-1)), True),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("end", BINARY_ENDS)
def test_one_number_is_read_as_two_classes(tmp_path: Path, end: str) -> None:
    """Logits are (0, z), z being what the head gives: the softmax of class 1 is sigmoid(z)."""
    function, squashed = BINARY_ENDS[end]
    one = model(function, 1)
    z = scores(one)

    for source in sources(one, tmp_path):
        with torch.no_grad():
            logits = source.program(IMAGES)
        assert torch.allclose(logits, torch.cat([torch.zeros_like(z), z], dim=1), atol=1e-6)
        assert torch.allclose(logits.softmax(1)[:, 1:], z.sigmoid(), atol=1e-6)
        assert source.check(IMAGES) < 1e-4
        assert ("sigmoid: it is read" in source.notes[0]) == squashed


PROBABILITIES: dict[str, tuple[Callable[[Tensor], Tensor], int, Callable[[Tensor], Tensor]]] = {
    "second of two": (lambda y: y.softmax(1)[:, 1], 2, lambda y: y[:, 1] - y[:, 0]),
    "second of two, kept": (lambda y: y.softmax(1)[:, 1:], 2, lambda y: y[:, 1] - y[:, 0]),
    "last of two": (lambda y: y.softmax(1).select(1, -1), 2, lambda y: y[:, 1] - y[:, 0]),
    "first of two": (lambda y: y.softmax(1)[:, :1], 2, lambda y: y[:, 0] - y[:, 1]),
    "less the first of two": (lambda y: 1 - y.softmax(1)[:, 0], 2, lambda y: y[:, 1] - y[:, 0]),
    "of two maps": (lambda y: y[..., None, None].softmax(1)[:, 1], 2, lambda y: y[:, 1] - y[:, 0]),
    "less a sigmoid": (lambda y: 1 - y.sigmoid(), 1, lambda y: -y[:, 0]),
    "less a sigmoid, squeezed": (lambda y: 1 - y.sigmoid().squeeze(1), 1, lambda y: -y[:, 0]),
    "less a sigmoid, in two steps": (lambda y: -y.sigmoid() + 1, 1, lambda y: -y[:, 0]),
    "twice less a sigmoid": (lambda y: 1 - (1 - y.sigmoid()), 1, lambda y: y[:, 0]),
    "tanh": (lambda y: (y.tanh() + 1) / 2, 1, lambda y: 2 * y[:, 0]),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("end", PROBABILITIES)
def test_one_probability_is_read_by_what_it_is_made_of(tmp_path: Path, end: str) -> None:
    """The difference of the logits is the logit of the probability, so that it is cut at 0.5."""
    function, outputs, logit = PROBABILITIES[end]
    one = model(function, outputs)

    for source in sources(one, tmp_path):
        with torch.no_grad():
            logits = source.program(IMAGES)
        assert logits.shape == (6, 2)
        assert torch.allclose(logits[:, 1] - logits[:, 0], logit(scores(one)), atol=1e-6)
        assert source.check(IMAGES) < 1e-4
        assert "above 0.5" in source.notes[0]


PAIRS = {
    "joined": (lambda p: torch.cat([1 - p, p], 1), 1),
    "stacked": (lambda p: torch.stack([1 - p[:, 0], p[:, 0]], 1), 1),
    "the other way round": (lambda p: torch.cat([p, 1 - p], 1), 0),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("end", PAIRS)
def test_a_probability_and_its_rest_are_two_classes(tmp_path: Path, end: str) -> None:
    """1 - sigmoid(z) and sigmoid(z) are the softmax of 0 and z."""
    pair, place = PAIRS[end]
    one = model(lambda y: pair(torch.sigmoid(y)), 1)
    z = scores(one)

    for source in sources(one, tmp_path):
        with torch.no_grad():
            logits = source.program(IMAGES)
        expected = [torch.zeros_like(z), torch.zeros_like(z)]
        expected[place] = z
        assert torch.allclose(logits, torch.cat(expected, 1), atol=1e-6)
        assert source.check(IMAGES) < 1e-4


def test_another_program_than_the_original_is_found_through_the_reading() -> None:
    """The check compares in the model's own output, so a sigmoid that is not the model's stands out."""
    one, other = model(torch.sigmoid, 1), model(torch.sigmoid, 1)
    other.load_state_dict({name: value + 0.01 for name, value in one.state_dict().items()})
    source = replace(read_model(one, SHAPE), reference=other)

    with pytest.raises(PostconditionError, match="differs by"):
        source.check(IMAGES)


@pytest.mark.parametrize(
    ("end", "classes"),
    [
        (lambda y: y, 5),
        (lambda y: torch.sigmoid(y), 5),
        (lambda y: torch.cat([1 - torch.sigmoid(y[:, :1]), torch.sigmoid(y[:, 1:])], 1), 2),
        (lambda y: torch.cat([2 - torch.sigmoid(y[:, :1]), torch.sigmoid(y[:, :1])], 1), 2),
        (lambda y: y.softmax(1) * 2, 5),
        (lambda y: y.view(-1, 2, 3).softmax(2).flatten(1), 6),
        (lambda y: y.view(-1, 2, 3).softmax(1).flatten(1), 6),
        (lambda y: y.softmax(1).view(-1, 2, 3).transpose(1, 2).flatten(1), 6),
    ],
)
def test_other_ends_stay_as_they_are(end: Callable, classes: int) -> None:
    one = model(end, classes)
    source = read_model(one, SHAPE)

    assert source.notes == ()
    assert "ReadClassifier" not in [record.name for record in source.program.history]
    assert source.check(IMAGES) < 1e-6


def test_a_softmax_over_classes_masked_by_infinity_stays() -> None:
    """Its inputs are no logits of which a mean over time could be taken."""
    mask = torch.tensor([False, True, False, False, True])
    one = model(lambda y: y.masked_fill(mask, float("-inf")).softmax(1), 5)
    source = read_model(one, SHAPE)

    with torch.no_grad():
        assert source.program(IMAGES).isfinite().all()
    assert source.check(IMAGES) < 1e-6


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (lambda m, x: F.relu(x), r"shape \(batch, 3, 8, 8\); a classifier .* as y\.mean\(\(2, 3\)\) does"),
        (lambda m, x: F.relu(x).flatten(2), r"shape \(batch, 3, 64\); .* as y\.mean\(1\) does"),
        (lambda m, x: x.mean((2, 3))[:, :1].softmax(1), "softmax over one class, which is the same for every image"),
    ],
)
@pytest.mark.parametrize("batch", [2, torch.export.Dim.AUTO])
def test_what_no_classifier_returns_is_refused_with_numbers(body: Body, message: str, batch: object) -> None:
    shapes = None if isinstance(batch, int) else ({0: batch},)
    exported = torch.export.export(toys.toy(body), (torch.zeros(2, *SHAPE),), dynamic_shapes=shapes)

    with pytest.raises(InputError, match=message):
        read_model(exported)


def test_the_remedy_for_maps_of_scores_works() -> None:
    read_model(toys.toy(lambda m, x: F.relu(x).mean((2, 3))), SHAPE)


def test_the_program_shows_what_was_done() -> None:
    text = format_program(read_model(model(lambda y: torch.sigmoid(y)[..., None], 1), SHAPE).program)

    assert text.splitlines()[-2:] == ["  two_classes = Pad(amounts=(1, 0), value=0.0)(head)", "  return two_classes"]
