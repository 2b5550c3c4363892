"""The time loop, written once: step after step, while observers look on and a scheduler may change the rows."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import Tensor

from seenn_convert.ir.program import Program

State = dict[str, Tensor]
Drives = Sequence[Tensor]
Results = tuple[Tensor, ...]
Step = Callable[[Drives, State], tuple[*Results, State]]
"""One timestep: drives and state in; its results ``(B, *)``, then the next state, out."""


Observer = Callable[[int, Results, State], None]
"""Sees timestep t, 1-based, its results and the state behind it; it changes nothing."""

Scheduler = Callable[[Results, Drives, State], tuple[Drives, State] | None]
"""Decides after a timestep which rows run on: returns the drives and the state of the next one, or None at the end."""


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
        step: Advances all rows by one timestep: ``SpikingModel.step``, or ``program_step`` of a program.
        drives: What the step reads beside the state, the same at every timestep; or a function of the timestep t,
            1-based, for an input that varies in time.
        state: Before the first timestep.
        timesteps: How many there are; None where the scheduler ends the run.
        observers: See each timestep, in this order.
        scheduler: Changes the rows between timesteps, for early exit; it needs drives that do not vary in time.

    Raises:
        ValueError: There is a scheduler and the drives vary in time, or neither it nor ``timesteps`` ends the run.
    """
    if scheduler is not None and callable(drives):
        raise ValueError("rows can be scheduled only where their drives are the same at every timestep")
    if scheduler is None and timesteps is None:
        raise ValueError("a run needs a number of timesteps or a scheduler that ends it")
    t = 0
    while timesteps is None or t < timesteps:
        t += 1
        given = drives(t) if callable(drives) else drives
        *results, state = step(given, state)
        for observe in observers:
            observe(t, tuple(results), state)
        if scheduler is not None:
            following = scheduler(tuple(results), given, state)
            if following is None:
                break
            drives, state = following
            del following  # or it would hold the state of before the next step for as long as that one is scheduled
    return state


def program_step(program: Program, run: Callable[..., Any] | None = None) -> Step:
    """Return the timestep of a spiking program; ``run`` takes the place of its graph, as an interpreter does."""
    run, split = run or program.graph_module, len(program.results)

    def step(drives: Iterable[Tensor], state: State) -> tuple[*Results, State]:
        outputs = run(*drives, *state.values())
        return *outputs[:split], dict(zip(state, outputs[split:], strict=True))

    return step
