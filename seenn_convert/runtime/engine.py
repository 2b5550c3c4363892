"""The time loop, written once: step after step, while observers look on and a scheduler may change the rows."""

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

State = dict[str, Tensor]
Drives = Sequence[Tensor]
Step = Callable[[Drives, State], tuple[tuple[Tensor, ...], State]]
"""One timestep: drives and state in; results ``(B, *)`` and the next state out."""


class Observer(Protocol):
    """Looks at each timestep; it changes nothing."""

    def __call__(self, t: int, results: tuple[Tensor, ...], state: State) -> None:
        """See timestep ``t``, 1-based: the step's results and the state behind it."""
        ...


class Scheduler(Protocol):
    """Decides after each timestep which rows run on; then it also decides when the run ends."""

    def __call__(self, results: tuple[Tensor, ...], drives: Drives, state: State) -> tuple[Drives, State] | None:
        """Return drives and state of the next timestep, or None at the end."""
        ...


def unroll(
    step: Step,
    drives: Drives | Callable[[int], Drives],
    state: State,
    timesteps: int | None,
    observers: Sequence[Observer] = (),
    scheduler: Scheduler | None = None,
) -> State:
    """Run ``step`` again and again and return the last state.

    Args:
        step: Advances all rows by one timestep.
        drives: What the step reads beside the state, the same at every timestep; or a function of the timestep t,
            1-based, for an input that varies in time.
        state: Before the first timestep.
        timesteps: How many there are; None where the scheduler ends the run.
        observers: See each timestep, in this order.
        scheduler: Changes the rows between timesteps, for early exit; it needs drives that do not vary in time.
    """
    if scheduler is not None and callable(drives):
        raise ValueError("rows can be scheduled only where their drives are the same at every timestep")
    t = 0
    while timesteps is None or t < timesteps:
        t += 1
        given = drives(t) if callable(drives) else drives
        results, state = step(given, state)
        for observe in observers:
            observe(t, results, state)
        if scheduler is not None:
            following = scheduler(results, given, state)
            if following is None:
                break
            drives, state = following
    return state
