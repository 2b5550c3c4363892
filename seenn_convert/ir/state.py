"""The state of a spiking program: where it starts, and how many rows of it fit together."""

import math

import torch
from torch import Tensor

from seenn_convert.choices import COUNT
from seenn_convert.errors import refuse
from seenn_convert.ir.interpreter import device_of
from seenn_convert.ir.program import Program
from seenn_convert.rows import ROW_FLOOR


def initial_state(program: Program, batch_size: int) -> dict[str, Tensor]:
    """Return the state of a spiking program before the first timestep, ``(B, *shape)`` each, on its device.

    All rows are one and the same in memory: a step writes its next state elsewhere, in the order in memory of its
    currents. Clone what is to be written.
    """
    graph_module, state = program.graph_module, {}
    zero = next(graph_module.buffers()).new_zeros(())
    for spec in program.states:
        start = zero if spec.initial is None else graph_module.get_buffer(spec.initial)
        state[spec.name] = start.expand(batch_size, *spec.shape)
    return state


STATE_NUMBERS = 200_000_000
"""Numbers of state that run together at most: under 1 GB in single precision, and as much for the next state."""

UPDATED_NUMBERS = 50_000_000
"""Numbers of state that are fitted together at most: 200 MB in single precision."""

NUMBERS_PER_THREAD, FEWEST_THREADS = 3 * 2**20, 4
"""Numbers of state that run together on a CPU for each of its threads, and the threads that count at least: 50 MB in
single precision. More rows than that are no faster there; they only take memory."""


def rows_together(program: Program, wanted: int) -> int:
    """Return how many rows of a spiking program to run together: ``wanted``, or fewer where their state is large.

    On a CPU they are fewer than on other devices, but not below the floor of rows for this reason. A row's result does
    not depend on the others, so this changes memory and time, not the outcome.

    Raises:
        InputError: ``wanted`` is not a whole number of at least 1.
    """
    return rows_of_numbers(numbers_in_a_row(program), device_of(program.graph_module), wanted)


def rows_of_numbers(a_row: int, device: torch.device, wanted: int) -> int:
    """Return how many rows of ``a_row`` numbers of state to run together on a device, as ``rows_together`` does.

    Raises:
        InputError: ``wanted`` is not a whole number of at least 1.
    """
    refuse(COUNT.problems("the batch size", wanted))
    most = STATE_NUMBERS // a_row
    if device.type == "cpu":
        numbers = NUMBERS_PER_THREAD * max(torch.get_num_threads(), FEWEST_THREADS)
        most = min(most, max(ROW_FLOOR, numbers // a_row))
    return max(1, min(int(wanted), most))


def rows_fitted_together(program: Program, wanted: int) -> int:
    """Return how many rows to run together where something is fitted to them as a batch, at least the floor of rows.

    That changes the outcome, so it depends on the program alone, and not on the device or its threads.
    """
    return max(1, min(wanted, max(ROW_FLOOR, UPDATED_NUMBERS // numbers_in_a_row(program))))


def numbers_in_a_row(program: Program) -> int:
    """Return how many numbers of state one row has, at least 1."""
    return max(sum(math.prod(spec.shape) for spec in program.states), 1)
