"""What a step holds beside neurons and operators, in ONNX: clock, biases, temporal differences, the exit probe."""

import torch

from seenn_convert.exporters.onnx.graph import Graph, Operand, UntranslatableError, Value
from seenn_convert.exporters.onnx.scores import SCORES
from seenn_convert.ir.operators import Latest
from seenn_convert.ir.operators.step import (
    ClippedDifference,
    ExitProbe,
    FrameAt,
    MeanDifference,
    RectifiedDifference,
    TemporalDifference,
    Tick,
    TimestepBias,
)
from seenn_convert.ir.scores import SCORES as KNOWN


def timestep_bias(g: Graph, m: TimestepBias, current: Value, clock: Value) -> str:
    """Add the bias of each row's timestep."""
    bias = g.op("Gather", g.constant(m.bias), _step_of(g, clock, m.bias.shape[0]), axis=0)
    missing = current.rank - m.bias.dim()
    if missing:
        bias = g.reshape(bias, -1, *[1] * missing, *m.bias.shape[1:])
    return g.op("Add", current, bias)


def frame_at(g: Graph, m: FrameAt, frames: Value, clock: Value) -> str:
    """Take the frame of each row's timestep."""
    number = g.op("Mod", g.cast(clock, torch.int64), g.number(frames.shape[0], torch.int64))
    return g.op("GatherND", frames, g.op("Unsqueeze", number, g.integers(1)), batch_dims=1)


def tick(g: Graph, m: Tick, clock: Value) -> str:
    """Count one step more."""
    return g.op("Add", clock, g.number(1.0))


def temporal_difference(
    g: Graph, m: TemporalDifference, current: Value, running_sum: Value, previous: Value
) -> tuple[str, str, str]:
    """Emit the change of f of the running sum."""
    following = g.op("Add", current, running_sum)
    value = g.inner(m.operator, g.result(following, current))
    return g.op("Sub", value, previous), following, value.name


def rectified_difference(g: Graph, m: RectifiedDifference, current: Value, running_sum: Value) -> tuple[str, str]:
    """Emit the change of the rectified running sum."""
    following = g.op("Add", current, running_sum)
    return g.op("Sub", g.op("Relu", following), g.op("Relu", running_sum)), following


def clipped_difference(
    g: Graph, m: ClippedDifference, current: Value, clock: Value, running_sum: Value
) -> tuple[str, str]:
    """Emit the change of the clipped running sum."""
    following = g.op("Add", current, running_sum)

    def clipped(value: Operand, steps: Operand) -> str:
        most = g.per_row(g.op("Mul", steps, g.number(m.maximum)), current)
        return g.op("Relu", g.op("Min", value, most))

    after = clipped(following, g.op("Add", clock, g.number(1.0)))
    return g.op("Sub", after, clipped(running_sum, clock)), following


def mean_difference(g: Graph, m: MeanDifference, clock: Value, previous: Value, *inputs: Value) -> tuple[str, ...]:
    """Emit the change of t times f of the mean input; where that is not finite, nothing."""
    steps, count = g.op("Add", clock, g.number(1.0)), len(m.varying)
    sums, means, following = iter(inputs[count:]), [], []
    for current, varies in zip(inputs[:count], m.varying, strict=True):
        if varies:
            following.append(g.op("Add", current, next(sums)))
            mean = g.op("Div", following[-1], g.per_row(steps, current))
            means.append(g.result(mean, current))
        else:
            means.append(current)
    result = g.inner(m.operator, *means)
    value = g.op("Mul", result, g.per_row(steps, result))
    broken = g.op("Or", g.op("IsNaN", value), g.op("IsInf", value))
    value = g.op("Where", broken, previous, value)
    return g.op("Sub", value, previous), value, *following


def latest(g: Graph, m: Latest, value: Value, clock: Value, previous: Value) -> tuple[str, str]:
    """Emit what makes the mean the latest value."""
    steps = g.op("Unsqueeze", clock, g.integers(-1))
    now = g.op("Mul", g.op("Add", steps, g.number(1.0)), value)
    return g.op("Sub", now, g.op("Mul", steps, previous)), value.name


def exit_probe(
    g: Graph, m: ExitProbe, current: Value, readout: Value, clock: Value, run_length: Value | None = None
) -> tuple[str, ...]:
    """Turn the readout current into mean logits and score."""
    if m.score not in KNOWN:
        raise UntranslatableError(
            f"the exit score {m.score_name!r} is your own, and files hold no code of yours",
            "convert with a score of this package (--score)",
        )
    following = g.op("Max", g.op("Add", readout, current), g.number(torch.finfo(torch.float32).min))
    steps = g.op("Add", clock, g.number(1.0))
    logits = g.op("Div", following, g.op("Unsqueeze", steps, g.integers(-1)))
    temperature = g.op("Gather", g.constant(m.temperatures), _step_of(g, clock, len(m.temperatures)), axis=0)
    temperature = g.op("Unsqueeze", temperature, g.integers(-1))
    run = None if run_length is None else _next_run_length(g, readout, clock, run_length, logits)
    score = SCORES[m.score_name](g, g.result(logits, readout), temperature, steps, run)
    return logits, score, following, *(() if run is None else (run,))


def _next_run_length(g: Graph, readout: Value, clock: Value, run_length: Value, logits: str) -> str:
    """Return for how many timesteps in a row the answer is the same, this one counted."""
    before = g.op("Div", readout, g.op("Unsqueeze", g.op("Max", clock, g.number(1.0)), g.integers(-1)))
    was, is_now = (g.op("ArgMax", value, axis=-1, keepdims=0) for value in (before, logits))
    stays = g.op("And", g.op("Equal", was, is_now), g.op("Greater", run_length, g.number(0.0)))
    return g.op("Where", stays, g.op("Add", run_length, g.number(1.0)), g.number(1.0))


def _step_of(g: Graph, clock: Value, timesteps: int) -> str:
    """Return the index ``(B,)`` of each row's timestep, that of the last one behind it."""
    return g.op("Min", g.cast(clock, torch.int64), g.number(timesteps - 1, torch.int64))
