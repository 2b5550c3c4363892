"""What each reader of NIR can read, and so what form a file has for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from seenn_convert.choices import Reader


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a network is written for a reader.

    Attributes:
        neurons: ``"cycle"``: integrator, threshold and scale, which say all that a neuron does; ``"if"``: one node, and
            metadata for what it does not say; ``"synaptic"``: ``CubaLIF`` with time constants that leak nothing.
        strict: Whether neurons of the reader fire above the threshold, and not at it.
        dt: Length of a timestep for the reader, in seconds.
        pool: ``"mean"`` or ``"sum"``; what it cannot say is written as a convolution.
        dilation: Whether it reads dilated convolutions; if not, they are written with zeros in the kernel.
        one_axis: Whether it reads convolutions of one axis.
        flatten: Whether it flattens maps in the order of NIR; if not, linear layers are written as convolutions.
        joins: Whether it reads nodes with several inputs.
    """

    neurons: Literal["cycle", "if", "synaptic"] = "if"
    strict: bool = False
    dt: float = 1.0
    pool: Literal["mean", "sum"] = "mean"
    dilation: bool = True
    one_axis: bool = True
    flatten: bool = True
    joins: bool = True


FORMS: Mapping[Reader, Form] = {
    "primitives": Form(neurons="cycle", strict=True),
    "sinabs": Form(pool="sum", one_axis=False),
    "spyx": Form(
        pool="sum", dilation=False, one_axis=False, flatten=False, joins=False, strict=True,
    ),
    "norse": Form(neurons="synaptic", pool="sum", one_axis=False, strict=True),
    "snntorch": Form(one_axis=False, strict=True),
    "spikingjelly": Form(dt=1e-4),
}  # fmt: skip
