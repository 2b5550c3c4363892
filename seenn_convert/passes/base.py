"""What every pass shares: copy, rewrite, check; and how a sequence of passes is run and held to its law."""

import copy
import gc
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from seenn_convert.errors import PostconditionError, PreconditionError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.interpreter import Interpreter, read_results, relative_error
from seenn_convert.ir.operators import Cast
from seenn_convert.ir.program import Program, Stage, format_program

TOLERANCE = 1e-5

M = TypeVar("M", bound=nn.Module)


class Pass(ABC):
    """A step of the compilation: program in, new program out; the input is never modified.

    A pass states what it ``accepts`` and ``yields``, may narrow that in ``requires``, does one thing in ``rewrite``,
    and may state what then holds in ``ensures``. A pass that yields stage ANN keeps the numbers.
    """

    accepts: ClassVar[Stage] = Stage.ANN
    yields: ClassVar[Stage] = Stage.ANN

    @property
    def name(self) -> str:
        """The name shown in reports."""
        return type(self).__name__

    def requires(self, program: Program) -> None:  # noqa: B027  # nothing more, unless a pass says so
        """Raise PreconditionError if ``program`` is not what this pass can work on."""

    @abstractmethod
    def rewrite(self, draft: Draft) -> None:
        """Change the draft."""

    def ensures(self, program: Program) -> None:  # noqa: B027  # nothing more, unless a pass says so
        """Raise PostconditionError if the new program is not what this pass promises."""

    def __call__(self, program: Program) -> Program:
        """Return the rewritten program."""
        if program.stage is not self.accepts:
            accepted, given = self.accepts.value, program.stage.value
            raise PreconditionError(f"{self.name} takes a program of stage {accepted}, not {given}")
        self.requires(program)
        draft = Draft(program)
        draft.stage = self.yields
        self.rewrite(draft)
        result = draft.finish(self.name)
        self.ensures(result)
        return result


def run_passes(program: Program, passes: Sequence[Pass], image: Tensor | None = None) -> Program:
    """Run ``passes`` in order; with an ``image`` batch, check that each keeps the ANN's outputs to 1e-5 relative.

    Raises:
        PostconditionError: Names the pass, the error and the first node that differs.
    """
    outputs: Tensor | None = None
    for one in passes:
        weights = _written(program)
        before, program = program, one(program)
        if _written(before) != weights:
            raise PostconditionError(
                f"{one.name} wrote into a weight of the program it was given, which must not change; replace modules"
            )
        if image is not None and one.accepts is one.yields is Stage.ANN:
            outputs = check_same(before, program, image, again=one, expected=outputs)
    return program


def _written(program: Program) -> list[tuple[int, int]]:
    """Return each weight of a program with how often it was written to."""
    module = program.graph_module
    return [(id(tensor), tensor._version) for tensor in (*module.parameters(), *module.buffers())]


def check_same(
    before: Program,
    after: Program,
    image: Tensor,
    tolerance: float = TOLERANCE,
    again: Pass | None = None,
    expected: Tensor | None = None,
) -> Tensor:
    """Raise PostconditionError unless both ANN programs give the same logits for ``image`` up to ``tolerance``.

    Some deep networks amplify single-precision rounding beyond that. They are judged in double precision; where even
    the rounding of rewritten weights is amplified, the pass ``again``, if given, rewrites the program once more there.
    Returns the logits of ``after``; ``expected``, if given, are those of ``before``.
    """
    image = image.to(before.input_dtype)
    with torch.no_grad():
        outputs = after(image)
        error = relative_error(outputs, before(image) if expected is None else expected)
        if not error <= tolerance and before.input_dtype is not torch.float64 and bool(outputs.isfinite().all()):
            image = image.double()
            exact = _outputs_in_double(before, image)
            error = relative_error(_outputs_in_double(after, image), exact)
            if not error <= tolerance:
                before = in_double(before)
                after = in_double(after if again is None else again(before))
                error = relative_error(after(image), exact)
    if not error <= tolerance:
        record = after.history[-1]
        where = _first_difference(before, after, image, tolerance)
        raise PostconditionError(
            f"{record.name} changed the outputs by {error:.2g} relative (at most {tolerance:g} is allowed); "
            f"the first node that differs is {where}\n{format_program(after)}"
        )
    if image.dtype is not outputs.dtype:
        del before, after
        gc.collect()  # graphs and their modules refer to each other: weights in double precision would stay for long
    return outputs


def in_double(program: Program) -> Program:
    """Return a copy of a program of stage ANN that computes in double precision; weights that already do are shared."""
    wide = module_in_double(program.graph_module, program.input_dtype)
    return replace(program, graph_module=wide, input_dtype=torch.float64)


def module_in_double(module: M, own: torch.dtype) -> M:
    """Return a copy that computes in double precision; casts to its ``own`` type are to double precision there."""
    made: dict[int, object] = {id(one): _double(one) for one in (*module.parameters(), *module.buffers())}
    wide = copy.deepcopy(module, made)  # which copies no tensor: each is made
    for one in wide.modules():
        if isinstance(one, Cast) and own is getattr(torch, one.dtype):
            one.dtype = "float64"
    return wide


def _double(weight: Tensor) -> Tensor:
    if not weight.is_floating_point() or weight.dtype is torch.float64:
        return weight
    wide = weight.detach().double()
    return nn.Parameter(wide, weight.requires_grad) if isinstance(weight, nn.Parameter) else wide


def _outputs_in_double(program: Program, image: Tensor) -> Tensor:
    """Return the logits in double precision, with no more than one module's weights in it at a time."""
    own = program.input_dtype
    run = Interpreter(program.graph_module, lambda node, module, inputs: module_in_double(module, own)(*inputs)).run
    outputs: Tensor = run(image)
    return outputs


def _first_difference(before: Program, after: Program, image: Tensor, tolerance: float) -> str:
    """Return the first node of ``after``, untouched by the pass, whose result changed."""
    old, new = (read_results(one.graph_module, [image], lambda name, result: result) for one in (before, after))
    for name, value in new.items():
        known = name in old and name not in after.history[-1].changed
        if known and not relative_error(value, old[name]) <= tolerance:
            source = after.source_of(name)
            return f"{name} ({source})" if source else name
    return "the output"


def with_parameters(module: nn.Module, **values: Tensor | None) -> nn.Module:
    """Return a copy of a module with other ``values`` of parameters, not to be trained; it shares all the others."""
    copied = copy.copy(module)
    copied._parameters = dict(module._parameters)
    for name, value in values.items():
        copied._parameters[name] = None if value is None else nn.Parameter(value, requires_grad=False)
    return copied


def channel_scale(values: Tensor, module: nn.Module) -> Tensor:
    """Return per-output-channel ``values`` shaped to multiply the weight of a convolution or linear layer."""
    weight = module.get_parameter("weight")
    return values.reshape(-1, *[1] * (weight.dim() - 1))
