"""Read what a model returns as the logits of a classifier, ``(B, K)``."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from seenn_convert.analysis.last_call import Squashing, one_probability, paired_logit, row_shapes, squashed_logits
from seenn_convert.errors import InputError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.interpreter import device_of, read_results
from seenn_convert.ir.operators import Affine, AtenOperator, Pad, Reshape
from seenn_convert.ir.program import Program


@dataclass(frozen=True)
class Reading:
    """How the logits of a program follow from what the model returns.

    Attributes:
        shape: Of one row of what the model returns, with at most one axis longer than 1; None if they are the same.
        taken_off: The function that the model applies to its logits at the end, and the program does not.
    """

    shape: tuple[int, ...] | None = None
    taken_off: Squashing | None = None

    @property
    def is_binary(self) -> bool:
        """Whether the model returns one number z, which is read as two classes with the logits (0, z)."""
        return self.shape is not None and math.prod(self.shape) == 1

    def original(self, logits: Tensor) -> Tensor:
        """Return what the model itself returns ``(B, *shape)`` where the program's logits are these, ``(B, K)``."""
        if self.shape is None:
            return logits
        values = logits[:, 1:] - logits[:, :1] if self.is_binary else logits
        match self.taken_off:
            case "sigmoid" | "other_sigmoid" | "half_softmax":
                values = values.sigmoid()
            case "softmax" | "sigmoid_pair":
                values = values.softmax(-1)
            case "log_softmax":
                values = values.log_softmax(-1)
        return values.reshape(len(values), *self.shape)

    def notes(self) -> Iterator[str]:
        """Return an iterator over sentences for the user; none if the model returns logits as they are."""
        if self.shape is None:
            return
        shown = shape_text(self.shape)
        if self.taken_off in ("other_sigmoid", "half_softmax"):
            yield (
                f"the model returns one number per image, {shown}, the probability of class 1: it is read as two "
                "classes with the logits that it is made of; class 1 is the answer where it is above 0.5, and the "
                "confidence is its own"
            )
        elif self.is_binary and self.taken_off:
            yield (
                f"the model returns one number per image, {shown}, from a sigmoid: it is read as two classes with the "
                "logits (0, z), where z is the input of the sigmoid; class 1 is the answer where the sigmoid is above "
                "0.5, and the confidence is its own"
            )
        elif self.is_binary:
            yield (
                f"the model returns one number z per image, {shown}: it is read as two classes with the logits (0, z); "
                "class 1 is the answer where z is above 0, with the confidence sigmoid(z); if z is a probability, let "
                "the model return its logit instead; a regression cannot be converted"
            )
        elif len(self.shape) > 1:
            yield f"the model returns {shown}: it is read as (batch, {math.prod(self.shape)}), without axes of size 1"
        if self.taken_off == "sigmoid_pair":
            yield (
                "the model returns a sigmoid and 1 less it, which are the softmax of its input z and 0: these are the "
                "logits"
            )
        elif self.taken_off and not self.is_binary:
            yield (
                f"the {self.taken_off} at the end of the model is taken off: its input is the logits, whose softmax is "
                "the confidence"
            )


AS_IT_IS = Reading()
"""Of a model that returns logits ``(B, K)``."""


def as_classifier(program: Program) -> tuple[Program, Reading]:
    """Return the program with logits ``(B, K)``, K at least 2, and how they were made of what the model returns.

    Axes of size 1 are dropped. One number per image becomes two classes. A softmax or log-softmax at the end is taken
    off, and so is the sigmoid of a single number, because the mean over time and the exit are for logits; the numbers
    1 - sigmoid(z) and sigmoid(z) are the softmax of (0, z). A program that returns logits already stays as it is.

    Raises:
        InputError: The model returns something else.
    """
    shapes = row_shapes(program)
    output = program.graph_module.graph.output_node().all_input_nodes[0]
    shape = shapes[output.name]
    _check(shape)
    pair = paired_logit(program, shapes)
    if pair is not None:
        logit, place = pair
        return _ended(program, logit, shapes[logit.name], (place, 1 - place)), Reading(shape, "sigmoid_pair")
    found = squashed_logits(program, shapes)
    if found is not None and math.prod(shape) > 1 and (found[1] == "sigmoid" or not _is_finite(program, found[0])):
        found = None  # kept: one of several classes, which is warned of, or over classes that are masked by infinity
    if found is None and len(shape) == 1 and shape[0] > 1:
        return program, AS_IT_IS
    logits, taken_off = found or (output, None)
    if math.prod(shape) == 1 and taken_off in ("softmax", "log_softmax"):
        raise InputError(
            "the model ends in a softmax over one class, which is the same for every image; end it in a sigmoid, or "
            "return the score itself"
        )
    part = one_probability(program, shapes) if math.prod(shape) == 1 and taken_off is None else None
    if part is not None and _is_finite(program, part[0]):
        return _of_probability(program, *part, shapes[part[0].name], shape)
    zeros = (1, 0) if math.prod(shape) == 1 else (0, 0)
    return _ended(program, logits, shapes[logits.name], zeros), Reading(shape, taken_off)


def _of_probability(
    program: Program, node: fx.Node, factor: float, sizes: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[Program, Reading]:
    """Return the program with the logits of the probability that it gives; ``sizes`` are those of ``node``."""
    if math.prod(sizes) == 2:
        order = None if factor > 0 else AtenOperator("flip.default", ("@0", (1,)))
        return _ended(program, node, sizes, (0, 0), order), Reading(shape, "half_softmax")
    scaling = Affine(torch.tensor(factor, dtype=program.input_dtype), torch.zeros((), dtype=program.input_dtype))
    return _ended(program, node, sizes, (1, 0), scaling), Reading(shape, "other_sigmoid")


def shape_text(shape: tuple[object, ...]) -> str:
    """Return the shape of a batch of such rows as text."""
    return f"({', '.join(map(str, ('batch', *shape)))}{',' if not shape else ''})"


def _ended(
    program: Program, logits: fx.Node, shape: tuple[int, ...], zeros: tuple[int, int], last: nn.Module | None = None
) -> Program:
    """Return the program that ends in ``logits``, of rows of ``shape``, through ``last``, with zeros around them."""
    draft = Draft(program)
    end = next(node for node in draft.graph.nodes if node.name == logits.name)
    if len(shape) != 1:
        end = draft.insert_after(end, "class_scores", Reshape((math.prod(shape),)), [end])
    if last is not None:
        end = draft.insert_after(end, "logit", last, [end])
    if any(zeros):
        end = draft.insert_after(end, "two_classes", Pad(zeros), [end])
    draft.graph.output_node().args = (end,)
    return draft.finish("ReadClassifier")


def _is_finite(program: Program, node: fx.Node) -> bool:
    """Return whether the result of ``node`` is finite for an image of zeros."""
    image = torch.zeros(2, *program.input_shape, dtype=program.input_dtype)
    finite = read_results(
        program.graph_module,
        [image.to(device_of(program.graph_module))],
        lambda name, result: bool(result.isfinite().all()) if name == node.name else None,
    )
    return finite[node.name]


def _check(shape: tuple[int, ...]) -> None:
    if sum(size != 1 for size in shape) <= 1:
        return
    axes = tuple(range(1, len(shape) + 1))
    pooled = axes[1:] if len(shape) > 2 else axes[:1]
    raise InputError(
        f"the model's output has shape {shape_text(shape)}; a classifier returns one score per class, "
        "(batch, classes): name another output with --output-name if there is one, or wrap the model to reduce the "
        f"other axes, as y.mean({pooled if len(pooled) > 1 else pooled[0]}) does"
    )
