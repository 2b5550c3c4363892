"""The time loop: state is handed on, observers see every step, drives may vary, a scheduler changes rows."""

import pytest
import small_artifacts as small
import torch
from torch import Tensor

from seenn_convert.ir.state import initial_state
from seenn_convert.runtime.engine import Drives, State, program_step, unroll


def accumulate(drives: Drives, state: State) -> tuple[Tensor, State]:
    """Return the running sum of the drive, as result and as state."""
    total = state["total"] + drives[0]
    return total, {"total": total}


def zero(rows: int) -> State:
    return {"total": torch.zeros(rows)}


def test_state_is_handed_on_and_observers_see_every_step() -> None:
    seen: list[tuple[int, list[float], list[float]]] = []
    drive = torch.tensor([1.0, 2.0])
    last = unroll(
        accumulate, [drive], zero(2), 3, [lambda t, r, s: seen.append((t, r[0].tolist(), s["total"].tolist()))]
    )
    assert seen == [(t, [1.0 * t, 2.0 * t], [1.0 * t, 2.0 * t]) for t in (1, 2, 3)]
    assert last["total"].tolist() == [3.0, 6.0]


def test_drives_may_vary_in_time() -> None:
    last = unroll(accumulate, lambda t: [torch.tensor([float(t)])], zero(1), 4)
    assert last["total"].tolist() == [1.0 + 2 + 3 + 4]


def test_a_scheduler_removes_rows_and_ends_the_run() -> None:
    rows: list[int] = []

    def below_five(results: tuple[Tensor, ...], drives: Drives, state: State) -> tuple[Drives, State] | None:
        rows.append(len(results[0]))
        stays = results[0] < 5
        return ([drives[0][stays]], {"total": state["total"][stays]}) if bool(stays.any()) else None

    unroll(accumulate, [torch.tensor([1.0, 2.0, 5.0])], zero(3), None, scheduler=below_five)
    assert rows == [3, 2, 2, 1, 1]  # 5 leaves after one timestep, 2 after three, 1 after five


def test_rows_cannot_be_scheduled_where_drives_vary() -> None:
    with pytest.raises(ValueError, match="same at every timestep"):
        unroll(accumulate, lambda t: [torch.ones(1)], zero(1), None, scheduler=lambda r, d, s: None)


def test_a_run_needs_an_end() -> None:
    with pytest.raises(ValueError, match="number of timesteps or a scheduler"):
        unroll(accumulate, [torch.ones(1)], zero(1), None)


def test_the_step_of_a_program_is_its_results_and_the_next_state_by_name() -> None:
    snn, images = small.spiking_program(), small.draw(20, 3)[0]
    drives, state = snn.stem(images), initial_state(snn, 20)
    outputs = snn.graph_module(*drives, *state.values())
    calls: list[int] = []

    def run(*inputs: Tensor) -> tuple[Tensor, ...]:
        calls.append(len(inputs))
        return snn.graph_module(*inputs)

    for step in (program_step(snn), program_step(snn, run)):
        logits, following = step(drives, state)
        assert torch.equal(logits, outputs[0])
        assert list(following) == [spec.name for spec in snn.states]
        assert all(torch.equal(one, two) for one, two in zip(following.values(), outputs[1:], strict=True))
    assert calls == [len(drives) + len(state)]
