"""A function of each element that takes several calls to write, other types of numbers in between."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seenn_convert.ir.operators import basic
from seenn_convert.ir.operators.aten import AtenOperator, is_elementwise, resolve

_PLAIN = (basic.Affine, basic.Add, basic.Subtract, basic.ClippedReLU, nn.ReLU, nn.LeakyReLU, nn.PReLU)
CHOICES = ("where", "masked_fill")
"""Elementwise operators that PyTorch does not tag so in every form."""
TYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64",
)  # fmt: skip


@dataclass(eq=False, repr=False)
class Cast(basic.Operator):
    """The same numbers, as far as ``dtype`` has them: the name of a type, such as ``"float32"``."""

    dtype: str

    def __post_init__(self) -> None:
        """Raise ValueError if there is no such type."""
        super().__post_init__()
        if self.dtype not in TYPES:
            raise ValueError(f"{self.dtype!r} is not a type of numbers; there are {', '.join(TYPES)}")

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` in that type."""
        target: torch.dtype = getattr(torch, self.dtype)
        return x.to(target)


@dataclass(eq=False, repr=False)
class Recast(Cast):
    """A cast to another type around a layer in lower precision: spikes that come in go on as spikes."""


class Elementwise(nn.Module):
    """A function of each element, such as ``x * (x > 1)``, written as several calls.

    It is one operator, since a truth value has no mean over timesteps.

    Args:
        inputs: How many tensors it takes.
        wiring: For each step the numbers of the values it takes: the inputs come first, then the results of the steps.
        steps: What is called, in order; each works on each element. The last gives the result.
        results: Numbers of the values that it returns instead, as a tuple.

    Raises:
        ValueError: A step is not elementwise, or takes a value that is not there yet.
    """

    def __init__(
        self,
        inputs: int,
        wiring: Sequence[Sequence[int]],
        steps: Sequence[nn.Module],
        results: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.inputs, self.wiring = inputs, tuple(tuple(sources) for sources in wiring)
        self.steps = nn.ModuleList(steps)
        self.results = None if results is None else tuple(results)
        if not steps or len(self.steps) != len(self.wiring) or not all(map(works_on_elements, steps)):
            raise ValueError("an elementwise function is made of elementwise operators")
        known = range(inputs, inputs + len(self.wiring))
        if any(not 0 <= source < end for sources, end in zip(self.wiring, known, strict=True) for source in sources):
            raise ValueError("a step of an elementwise function takes a value that is not there yet")
        if any(not 0 <= number < inputs + len(self.wiring) for number in self.results or ()):
            raise ValueError("an elementwise function returns a value that is not there")

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the result of the last step, or the ``results``."""
        values = list(inputs)
        for step, sources in zip(self.steps, self.wiring, strict=True):
            values.append(step(*(values[source] for source in sources)))
        return values[-1] if self.results is None else tuple(values[number] for number in self.results)

    def extra_repr(self) -> str:
        """Show how its steps are wired."""
        return f"wiring={self.wiring}" if self.results is None else f"wiring={self.wiring}, results={self.results}"


def works_on_elements(module: nn.Module) -> bool:
    """Return whether each element of a module's result depends on the elements at its place only."""
    if isinstance(module, AtenOperator):
        return module.name in CHOICES or is_elementwise(resolve(module.operator))
    if isinstance(module, Elementwise):
        return module.results is None
    return isinstance(module, (Cast, *_PLAIN))
