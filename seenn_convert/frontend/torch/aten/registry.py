"""The table from the name of an ATen operator to the function that lifts its calls."""

from collections.abc import Callable
from dataclasses import dataclass

from seenn_convert.frontend.torch.call import Call, Result

Handler = Callable[[Call], Result]
HANDLERS: dict[str, Handler] = {}


@dataclass(frozen=True)
class Operator:
    """An operator of the user's own, or one to be read in another way than this package does.

    Attributes:
        name: As the exported graph calls it, ``"mylib::swish"``; its overloads share the name.
        lift: From a call to what stands for it, such as ``Lifted(MyModule(...), (call.tensor("x"),))``.
        any_layout: The function is correct wherever the batch axis is.
    """

    name: str
    lift: Handler
    any_layout: bool = False


AWARE: set[str] = set()
"""Operators whose handler minds where the batch axis is; the others are applied to each part of a row."""

TRAINING = "it is in training mode; call model.eval() before the model is exported"


def handles(*names: str, any_layout: bool = False) -> Callable[[Handler], Handler]:
    """Enter a function in the table for the ATen operators ``names``; overloads and in-place forms share a name.

    Args:
        names: Operators.
        any_layout: The handler is correct wherever the batch axis is.
    """

    def enter(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, handler))
        if any_layout:
            AWARE.update(names)
        return handler

    return enter


def operator_of(target: object) -> str:
    """Return the name of an ATen operator, that of its in-place form included: ``add`` for ``aten::add_``."""
    name: str = target._schema.name.split("::")[1]  # type: ignore[attr-defined]
    return name.rstrip("_")


__all__ = ["AWARE", "HANDLERS", "TRAINING", "Handler", "Operator", "Result", "handles", "operator_of"]
