"""Base class for a user's own operators; they declare what the closed list states for built-in ones."""

from typing import ClassVar

from torch import nn


class CustomOperator(nn.Module):
    """An operator of the user's own: a module of tensors ``(B, *)``, each row on its own, that keeps no state.

    Attributes:
        options: Names of the constructor's arguments, each kept as an attribute of plain data: what an artifact stores
            beside the parameters and buffers.
        linear: Whether ``f(a x + b y) = a f(x) + b f(y)``, up to a constant: then it acts on each step's current as it
            stands. Any other operator becomes its temporal difference.
    """

    options: ClassVar[tuple[str, ...]] = ()
    linear: ClassVar[bool] = False
