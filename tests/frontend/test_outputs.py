"""Which result is the classifier: the only one, or the one of a name; the others may be whatever they are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import harness
import pytest
import torch
import toys
from reading import Body, exported, kinds
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.errors import InputError, UnsupportedOperatorError
from seenn_convert.frontend.load import read_model
from seenn_convert.frontend.outputs import choose, output_names
from seenn_convert.frontend.torch.lift import lift
from seenn_convert.frontend.torch.read import from_exported


class Named(NamedTuple):
    logits: Tensor
    features: Tensor


@dataclass
class Result:
    """What a library returns: the fields that are not asked for are None."""

    logits: Tensor
    loss: Tensor | None = None
    features: Tensor | None = None


torch.export.register_dataclass(Result, serialized_type_name="tests.frontend.test_outputs.Result")


def head(wrap: Callable[[Tensor, Tensor], Any]) -> toys.Toy:
    """A classifier whose results, logits and features, are wrapped."""

    def body(m: Any, x: Tensor) -> Any:
        features = F.relu(x).mean((2, 3))
        return wrap(m.head(features), features)

    return toys.toy(body, head=nn.Linear(3, 5))


FORMS: list[tuple[Callable[[Tensor, Tensor], Any], list[str], str]] = [
    (lambda y, z: (y, z), ["0", "1"], "0"),
    (lambda y, z: [z, y], ["0", "1"], "1"),
    (lambda y, z: {"logits": y, "features": z}, ["logits", "features"], "logits"),
    (lambda y, z: {"features": z, "aux": {"heads": (z, y)}}, ["features", "aux.heads.0", "aux.heads.1"], "aux.heads.1"),
    (lambda y, z: Named(y, z), ["logits", "features"], "logits"),
    (lambda y, z: Result(y, features=z), ["logits", "features"], "logits"),
]


@pytest.mark.parametrize(("wrap", "names", "name"), FORMS)
@pytest.mark.parametrize("dynamic", [True, False])
def test_the_logits_are_found_by_name(wrap: Callable, names: list[str], name: str, dynamic: bool) -> None:
    traced = exported(head(wrap), dynamic=dynamic)
    program, alone = lift(traced, name), head(lambda y, z: y)
    alone.load_state_dict(traced.state_dict)

    assert output_names(traced) == names
    batch = harness.images(program, 3)
    with torch.no_grad():
        harness.assert_same(program(batch), alone(batch))


@pytest.mark.parametrize(("wrap", "names", "name"), FORMS)
def test_without_a_name_the_choice_is_not_clear(wrap: Callable, names: list[str], name: str) -> None:
    with pytest.raises(InputError) as caught:
        lift(exported(head(wrap)))

    assert str(caught.value) == (
        f"the model returns {len(names)} tensors ({', '.join(names)}); name the logits with --output-name "
        "(output_name in Python), or wrap the model to return them alone"
    )


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(InputError) as caught:
        lift(exported(head(lambda y, z: {"logits": y, "features": z})), "scores")

    assert str(caught.value) == "the model has no output named 'scores'; its outputs are: logits, features"


def test_an_output_that_is_no_tensor_cannot_be_chosen() -> None:
    """A constant beside the logits is no result to choose, so the logits need no name."""
    traced = exported(head(lambda y, z: {"logits": y, "scale": 3}))

    assert kinds(lift(traced)) == ["ReLU", "Mean", "Linear"]
    with pytest.raises(InputError, match="no output named 'scale'; its outputs are: logits"):
        lift(traced, "scale")


def test_choosing_by_position() -> None:
    assert choose(["a", "b"], [False, True], None) == 1
    assert choose(["a", "b"], [True, True], "b") == 1
    with pytest.raises(InputError, match="no output named 'a'; its outputs are: none"):
        choose(["a"], [False], "a")


@pytest.mark.parametrize("name", ["early,late", "early, late", ("early", "late"), ["early", "late"]])
def test_exits_at_several_depths_are_refused_by_name(name: Any) -> None:
    model = head(lambda y, z: {"early": y, "late": 2 * y})

    for refused in (lambda: lift(exported(model), name), lambda: read_model(model, (3, 8, 8), output_name=name)):
        with pytest.raises(InputError, match=r"early, ?late are several: .* not kept.*name one \(of early, late\)"):
            refused()


def test_a_name_may_hold_a_comma() -> None:
    assert choose(["a,b", "b"], [True, True], "a,b") == 0


def test_an_auxiliary_head_that_is_not_needed_may_hold_anything() -> None:
    """Its operators are not converted, so they are no problem; for that head itself they are."""

    def body(m: Any, x: Tensor) -> Any:
        features = F.relu(x).mean((2, 3))
        return {"logits": m.head(features), "best": m.head(features).nanmean(1, keepdim=True), "loud": torch.rand(2, 5)}

    traced = exported(toys.toy(body, head=nn.Linear(3, 5)))

    assert kinds(lift(traced, "logits")) == ["ReLU", "Mean", "Linear"]
    with pytest.raises(UnsupportedOperatorError, match=r"nanmean \(aten\.nanmean\)"):
        lift(traced, "best")
    with pytest.raises(UnsupportedOperatorError, match="draws random numbers"):
        lift(traced, "loud")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (lambda m, x: None, "returns 0 tensors"),
        (lambda m, x: x.mean((2, 3)).t(), r"has shape \(3, batch\); a classifier returns"),
        (lambda m, x: x.mean((2, 3)).flatten(), r"has shape \(3 \* batch\); .* the batch an axis of its own"),
        (lambda m, x: x.flatten(2).view(-1, 16), r"has shape \(12 \* batch, 16\); a classifier returns"),
        (lambda m, x: torch.ones(2, 5), "does not depend on its input"),
    ],
)
def test_other_outputs_than_logits_are_refused(body: Body, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_exported(exported(toys.toy(body)))


def test_one_tensor_in_a_container_is_fine() -> None:
    model = toys.toy(lambda m, x: {"logits": F.relu(x).flatten(1)})

    assert kinds(lift(exported(model))) == ["ReLU", "Reshape"]


def test_a_model_that_changes_a_buffer_behind_its_output_is_refused() -> None:
    def body(m: Any, x: Tensor) -> Tensor:
        m.calls.add_(1)
        return x.flatten(1)

    model = toys.toy(body)
    model.register_buffer("calls", torch.zeros(1))

    with pytest.raises((InputError, UnsupportedOperatorError), match="changes"):
        lift(exported(model))
    with pytest.raises(InputError, match="the model changes its buffers as it runs"):
        lift(exported(model).run_decompositions())
