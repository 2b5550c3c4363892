"""The state of a user's module as a list of tensors, and back: tuples, dicts and dataclasses, nested as one likes."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import Tensor

from seenn_convert.errors import InputError

Rebuild = Callable[[Sequence[Tensor]], object]


def flattened(state: object) -> tuple[dict[str, Tensor], Rebuild]:
    """Return the tensors of a state by their places, and what makes such a state of others.

    Raises:
        InputError: It holds something else; says where.
    """
    leaves = dict(_leaves(state, "state"))
    return leaves, lambda values: _rebuilt(state, iter(values))


def _leaves(state: object, place: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(state, Tensor):
        yield place, state
        return
    parts = _parts(state)
    if parts is None:
        raise InputError(
            f"{place} of the network holds {type(state).__name__}; let a state be tensors, batch first, in tuples, "
            "lists, dicts or dataclasses"
        )
    for name, part in parts.items():
        if part is not None:
            yield from _leaves(part, f"{place}.{name}")


def _parts(state: object) -> Mapping[object, object] | None:
    """Return the parts of a container by name, None if it is none."""
    if isinstance(state, Mapping):
        return state
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return dict(zip(state._fields, state, strict=True))
    if isinstance(state, (tuple, list)):
        return dict(enumerate(state))
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    return None


def _rebuilt(state: object, values: Iterator[Tensor]) -> object:
    """Return a state of the same form with other tensors, taken in order."""
    if isinstance(state, Tensor):
        return next(values)
    parts = _parts(state)
    assert parts is not None
    made = {name: None if part is None else _rebuilt(part, values) for name, part in parts.items()}
    if isinstance(state, Mapping):
        return type(state)(made)  # type: ignore[call-arg]
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*made.values())  # type: ignore[arg-type]
    if isinstance(state, (tuple, list)):
        return type(state)(made.values())
    return dataclasses.replace(state, **{str(name): value for name, value in made.items()})  # type: ignore[type-var]
