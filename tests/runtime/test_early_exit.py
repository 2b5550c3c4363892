"""Early exit equals hindsight, row for row and bit for bit, however the rows come and go."""

from collections.abc import Iterable
from functools import cache

import pytest
import small_artifacts as small
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from seenn_convert.choices import SCORE_NAMES
from seenn_convert.errors import InputError
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.ir.operators import Reshape
from seenn_convert.passes.attach_policy import AttachPolicy, PolicyHead
from seenn_convert.passes.base import run_passes
from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
from seenn_convert.runtime.policies import (
    ExitPolicy,
    FixedPolicy,
    PlannedPolicy,
    ThresholdPolicy,
    exit_steps,
    planned_timesteps,
)
from seenn_convert.runtime.spiking_model import SpikingModel

IMAGES = small.draw(90, 7)[0]
MODEL = small.model()


def hindsight(model: SpikingModel, images: Tensor) -> ExitTrace:
    """Return what running all timesteps and choosing afterwards gives."""
    run = collect_readouts(model, [images], keep_logits=True)
    steps = exit_steps(model.policy, run.scores, run.logits)
    rows = torch.arange(len(images))
    at = (steps - 1, rows)
    return ExitTrace(run.predictions[at], run.logits[at], steps, run.scores[at])


def same(a: ExitTrace, b: ExitTrace) -> bool:
    """Return whether two traces are the same to the bit."""
    fields = ("predictions", "logits", "exit_step", "confidence")
    return all(torch.equal(getattr(a, field), getattr(b, field)) for field in fields)


HINDSIGHT = hindsight(MODEL, IMAGES)


def test_the_rows_of_these_tests_leave_at_different_times() -> None:
    assert len(HINDSIGHT.exit_step.unique()) >= 5


@pytest.mark.parametrize("capacity", [1, 2, 16, 17, 33, 89, 90, 91, 500])
@pytest.mark.parametrize("batch_size", [1, 7, 32, 90])
def test_early_exit_equals_hindsight(batch_size: int, capacity: int) -> None:
    """Batches of 1 to all images, the last one smaller; rows are refilled and removed on the way."""
    assert same(run_early_exit(MODEL, IMAGES.split(batch_size), capacity), HINDSIGHT)


@pytest.mark.parametrize("neuron", ["signed", "if"])
@pytest.mark.parametrize("policy", [FixedPolicy(1), FixedPolicy(5), FixedPolicy(99), ThresholdPolicy("entropy", (0.7, 0.6)),
                                    ThresholdPolicy("confidence", (2.0,)), ThresholdPolicy("confidence", (-1.0,))])  # fmt: skip
def test_whatever_the_policy_and_the_neuron(policy: ExitPolicy, neuron: str) -> None:
    model = small.model(6, policy, neuron)
    assert same(run_early_exit(model, IMAGES.split(20), 24), hindsight(model, IMAGES))


@pytest.mark.parametrize("name", SCORE_NAMES)
def test_whatever_the_score(name: str) -> None:
    """Rows that leave are refilled and removed; what they remember goes with them."""
    model = small.model(6, ThresholdPolicy(name, (2.0,)))
    median = float(collect_readouts(model, [IMAGES]).scores.quantile(0.55))
    model.policy = ThresholdPolicy(name, (median - 1e-3,))
    expected = hindsight(model, IMAGES)
    assert len(expected.exit_step.unique()) >= 2
    for capacity in (16, 24, 90):
        assert same(run_early_exit(model, IMAGES.split(20), capacity), expected)


def test_patience_counts_from_the_row_s_own_start() -> None:
    """Above k / (1 + k) is more than k timesteps with one answer; a fresh row in an old place starts from none."""
    model = small.model(8, ThresholdPolicy("patience", (0.7,)))  # 3 timesteps give 0.75
    run = collect_readouts(model, [IMAGES], keep_logits=True)
    for row, answers in enumerate(run.predictions.t().tolist()):
        alike = [t for t in range(2, 8) if answers[t] == answers[t - 1] == answers[t - 2]]
        expected = alike[0] + 1 if alike else 8
        assert int(exit_steps(model.policy, run.scores)[row]) == expected
    assert same(run_early_exit(model, IMAGES.split(20), 16), hindsight(model, IMAGES))


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_rows_are_independent(data: st.DataObject) -> None:
    """Any order, any cut into batches (empty ones too), any capacity: each row comes out as it did, once."""
    order = torch.tensor(data.draw(st.permutations(range(len(IMAGES)))))[: data.draw(st.integers(1, len(IMAGES)))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=5)))
    batches = torch.tensor_split(IMAGES[order], cuts)
    trace = run_early_exit(MODEL, batches, data.draw(st.integers(1, 100)))
    assert same(trace, ExitTrace(*(value[order] for value in (
        HINDSIGHT.predictions, HINDSIGHT.logits, HINDSIGHT.exit_step, HINDSIGHT.confidence))))  # fmt: skip


class Scripted:
    """A model whose rows leave when their image says, and whose logits tell which image a row is."""

    def __init__(self, timesteps: int) -> None:
        self.timesteps, self.policy = timesteps, ThresholdPolicy("confidence", (0.5,))
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.steps, self.rows = 0, 0

    def drive(self, image: Tensor) -> tuple[Tensor, ...]:
        return (image,)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        return {"clock": torch.zeros(batch_size), "sum": torch.zeros(batch_size, 2)}

    def step(self, drives: Iterable[Tensor], state: dict[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        (image,) = drives
        clock, total = state["clock"] + 1, state["sum"] + image
        self.steps, self.rows = self.steps + 1, self.rows + len(image)
        return total / clock.unsqueeze(1), (clock >= image[:, 1]).float(), {"clock": clock, "sum": total}


@settings(deadline=None, max_examples=150)
@given(leave=st.lists(st.integers(1, 9), min_size=1, max_size=40), batch_size=st.integers(1, 12),
       capacity=st.integers(1, 40), row_floor=st.integers(1, 20), timesteps=st.integers(1, 8))  # fmt: skip
def test_no_row_is_lost_or_doubled(
    leave: list[int], batch_size: int, capacity: int, row_floor: int, timesteps: int
) -> None:
    model, done = Scripted(timesteps), []
    images = torch.tensor([[100.0 + number, float(t)] for number, t in enumerate(leave)])
    trace = run_early_exit(model, images.split(batch_size), capacity, row_floor=row_floor, progress=done.append)
    expected = torch.tensor(leave).clamp(max=timesteps)
    assert torch.equal(trace.exit_step, expected)
    assert torch.equal(trace.logits.round(), images)  # the number of the image, and nobody else's running sum
    assert sum(done) == len(leave)
    assert min(done) >= 1
    assert trace.average_timesteps == pytest.approx(float(expected.double().mean()))


def test_work_is_saved() -> None:
    """One slow image among 64 fast ones: 64 rows run once, then only the floor's rows go on."""
    model = Scripted(8)
    images = torch.ones(64, 2)
    images[10, 1] = 8
    run_early_exit(model, [images], 64, row_floor=4)
    assert model.rows == 64 + 7 * 4


def test_refill_keeps_the_batch_full() -> None:
    """Eight images of 2 steps and capacity 4, no floor: 4 steps of 4 rows."""
    model = Scripted(8)
    run_early_exit(model, torch.full((8, 2), 2.0).split(3), 4, row_floor=1)
    assert (model.steps, model.rows) == (4, 16)


def test_below_the_floor_only_rounding_may_differ() -> None:
    trace = run_early_exit(MODEL, IMAGES[:5].split(1), 1, row_floor=1)
    assert torch.equal(trace.exit_step, HINDSIGHT.exit_step[:5])
    assert torch.allclose(trace.logits, HINDSIGHT.logits[:5], atol=1e-5)


def test_the_state_of_a_neuron_is_not_written_through() -> None:
    """With one row the initial state may be a view of the model's buffer; nothing may write to it."""
    before = {name: value.clone() for name, value in MODEL.state_dict().items()}
    run_early_exit(MODEL, IMAGES.split(1), 1, row_floor=1)
    assert all(torch.equal(before[name], value) for name, value in MODEL.state_dict().items())


def test_a_policy_can_be_given_for_one_run() -> None:
    trace = run_early_exit(MODEL, [IMAGES], 90, policy=FixedPolicy(3))
    assert set(trace.exit_step.tolist()) == {3}


def test_no_data_gives_an_empty_trace() -> None:
    for batches in ([], [IMAGES[:0]]):
        trace = run_early_exit(MODEL, batches, 8)
        assert [len(value) for value in (trace.predictions, trace.logits, trace.exit_step, trace.confidence)] == [0] * 4


@pytest.mark.parametrize("capacity", [0, -3])
def test_a_batch_without_rows_is_refused(capacity: int) -> None:
    with pytest.raises(InputError, match="rows must be at least 1"):
        run_early_exit(MODEL, [IMAGES], capacity)


def test_a_long_run_in_bfloat16_ends() -> None:
    """bfloat16 counts to 256: the loop must not wait for a clock that stands still."""
    model = Scripted(300)
    model.dtype = torch.bfloat16
    model.initial_state = lambda count: {  # type: ignore[method-assign]
        "clock": torch.zeros(count, dtype=torch.bfloat16), "sum": torch.zeros(count, 2, dtype=torch.bfloat16)
    }  # fmt: skip
    trace = run_early_exit(model, [torch.tensor([[1.0, 1000.0]])], 1, row_floor=1)
    assert trace.exit_step.tolist() == [300]


def test_a_wrong_shape_is_said_without_the_rows_that_padding_added() -> None:
    for run in (lambda image: run_early_exit(MODEL, [image], 4), lambda image: collect_readouts(MODEL, [image])):
        with pytest.raises(InputError, match=r"takes a batch of shape \(B, 1, 8, 8\), got \(B, 1, 9, 9\)$"):
            run(torch.zeros(3, 1, 9, 9))


@cache
def planned_model(policy: ExitPolicy = PlannedPolicy()) -> SpikingModel:
    """Return a model whose policy head is drawn at random: its plans differ from row to row."""
    generator = torch.Generator().manual_seed(1)
    body = (Reshape((80,)), nn.Linear(80, 8))
    for parameter in body[1].parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    program = small.model(8).program
    head = PolicyHead("drive", ((nn.Identity(),),), body)
    return SpikingModel(run_passes(program, [AttachPolicy(head, 8)]), 8, policy)


BOTH = PlannedPolicy(ThresholdPolicy("confidence", small.THRESHOLDS))


def planned_hindsight(model: SpikingModel, images: Tensor) -> ExitTrace:
    run = collect_readouts(model, [images], keep_logits=True, keep_plan=True)
    steps = exit_steps(model.policy, run.scores, run.logits, run.planned())
    at = (steps - 1, torch.arange(len(images)))
    return ExitTrace(run.predictions[at], run.logits[at], steps, run.scores[at])


@pytest.mark.parametrize("policy", [PlannedPolicy(), BOTH])
@pytest.mark.parametrize("capacity", [1, 16, 17, 33, 90, 500])
@pytest.mark.parametrize("batch_size", [1, 7, 32, 90])
def test_a_planned_exit_equals_hindsight(batch_size: int, capacity: int, policy: ExitPolicy) -> None:
    model = planned_model(policy)
    expected = planned_hindsight(model, IMAGES)
    assert len(expected.exit_step.unique()) >= 5
    assert same(run_early_exit(model, IMAGES.split(batch_size), capacity), expected)


@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_planned_rows_are_independent(data: st.DataObject) -> None:
    """Any order, any cut into batches, any capacity: each row takes the steps of its own plan."""
    model = planned_model()
    expected = planned_hindsight(model, IMAGES)
    order = torch.tensor(data.draw(st.permutations(range(len(IMAGES)))))[: data.draw(st.integers(1, len(IMAGES)))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=5)))
    trace = run_early_exit(model, torch.tensor_split(IMAGES[order], cuts), data.draw(st.integers(1, 100)))
    assert same(trace, ExitTrace(*(value[order] for value in (
        expected.predictions, expected.logits, expected.exit_step, expected.confidence))))  # fmt: skip


class ScriptedPlan(Scripted):
    """A scripted model whose head plans what the image says."""

    def __init__(self, timesteps: int) -> None:
        super().__init__(timesteps)
        self.policy = PlannedPolicy()  # type: ignore[assignment]

    def plan(self, image: Tensor, drives: Iterable[Tensor]) -> Tensor:
        return torch.nn.functional.one_hot(image[:, 1].long() - 1, 9).float()


@settings(deadline=None, max_examples=100)
@given(leave=st.lists(st.integers(1, 9), min_size=1, max_size=40), batch_size=st.integers(1, 12),
       capacity=st.integers(1, 40), row_floor=st.integers(1, 20), timesteps=st.integers(1, 8))  # fmt: skip
def test_no_planned_row_is_lost_or_doubled(
    leave: list[int], batch_size: int, capacity: int, row_floor: int, timesteps: int
) -> None:
    model = ScriptedPlan(timesteps)
    images = torch.tensor([[100.0 + number, float(t)] for number, t in enumerate(leave)])
    trace = run_early_exit(model, images.split(batch_size), capacity, row_floor=row_floor)
    assert torch.equal(trace.exit_step, torch.tensor(leave).clamp(max=timesteps))
    assert torch.equal(trace.logits.round(), images)


def test_rows_of_one_plan_run_together() -> None:
    """Long and short plans in turn, capacity 4, no floor: each row runs as long as planned and none waits."""
    model = ScriptedPlan(8)
    plans = [8, 2] * 8
    images = torch.tensor([[1.0, float(t)] for t in plans])
    run_early_exit(model, images.split(4), 4, row_floor=1)
    assert (model.steps, model.rows) == (8 * 2 + 2 * 2, sum(plans))


def test_the_longest_plans_are_kept_without_waiting_for_a_tenth() -> None:
    """One of 40 rows is finished first: it is removed at once, since nothing has to be copied."""
    model = ScriptedPlan(8)
    images = torch.tensor([[1.0, 1.0], *[[1.0, 2.0]] * 39])
    run_early_exit(model, [images], 40, row_floor=1)
    assert model.rows == 40 + 39


def test_a_plan_needs_a_policy_head() -> None:
    with pytest.raises(InputError, match="no policy head"):
        run_early_exit(MODEL, [IMAGES], 8, policy=PlannedPolicy())
    with pytest.raises(InputError, match="no policy head"):
        SpikingModel(MODEL.program, 8, PlannedPolicy())
    trace = run_early_exit(planned_model(), [IMAGES], 90, policy=FixedPolicy(2))
    assert set(trace.exit_step.tolist()) == {2}


def test_a_single_image_runs_as_planned() -> None:
    model = planned_model()
    expected = planned_hindsight(model, IMAGES)
    assert model(IMAGES[:1]).exit_step.tolist() == expected.exit_step[:1].tolist()
    alone = run_early_exit(model, IMAGES[:6].split(1), 1, row_floor=1)
    assert alone.exit_step.tolist() == expected.exit_step[:6].tolist()


def test_a_price_moves_the_plans_and_the_run_follows_it() -> None:
    """Of logits (0, 3, 4), timestep 3 leads at 0; at 2 timestep 2 does: -2, -1, -2; at 4 timestep 1: -4, -5, -8."""
    logits = torch.tensor([[0.0, 3.0, 4.0]])
    assert [int(planned_timesteps(logits, price)) for price in (0.0, 2.0, 4.0)] == [3, 2, 1]

    head = PolicyHead("image", ((Reshape((64,)),),), (nn.Linear(64, 6),))
    model = SpikingModel(run_passes(small.model(6).program, [AttachPolicy(head, 6)]), 6, PlannedPolicy())
    images = small.draw(50, 2)[0]
    steps = run_early_exit(model, [images], 20, price=0.3).exit_step
    assert torch.equal(steps, collect_readouts(model, [images], keep_plan=True).planned(0.3))
    assert not torch.equal(steps, run_early_exit(model, [images], 20).exit_step)
