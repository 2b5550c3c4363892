"""How far a choice of thresholds leaves the outputs of the spiking network from the ANN's, on calibration images."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import kl_div

from seenn_convert.calibration.timestep_bias import Form, fit_timestep_bias
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import initial_state, rows_together
from seenn_convert.neurons.types import NeuronType
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.insert_timestep_bias import InsertTimestepBias
from seenn_convert.passes.sequence import spiking_passes
from seenn_convert.runtime.engine import Results, State, program_step, unroll

LEAST_ERROR = 1e-12
"""What counts as an error where there is none."""

LARGE = 1e12
"""Values beyond this are measured in double precision."""

WORST = 1e30
"""The largest error there is; reports hold finite numbers."""

LEAST_DIVERGENCE = 1e-4
"""In nats: answers that differ by less count as the same."""


def relative_distance(found: Tensor, wanted: Tensor) -> float:
    """Return the distance of the logits ``(B, K)`` from those wanted, relative to them.

    A class whose logit is the same for all images, as that of a masked class, says nothing about the network, and may
    be so large that it hides the others: it does not count where others vary.
    """
    varies = (wanted != wanted[:1]).any(dim=0)
    if bool(varies.any()) and not bool(varies.all()):
        found, wanted = found[:, varies], wanted[:, varies]
    return relative_length(found - wanted, wanted)


def relative_length(error: Tensor, wanted: Tensor) -> float:
    """Return the length of ``error`` relative to that of what is ``wanted``, whatever their size."""
    return _or_worst(float(_length(error) / _length(wanted).clamp(min=1e-12)))


def divergence(found: Tensor, wanted: Tensor) -> float:
    """Return how much the answers of the logits ``(B, K)`` differ from those wanted: mean Kullback-Leibler, in nats.

    It is at least ``LEAST_DIVERGENCE``: what is below is rounding, and no answer depends on it.
    """
    answers = torch.log_softmax(wanted, dim=-1)
    found = torch.log_softmax(found, dim=-1)
    return max(LEAST_DIVERGENCE, _or_worst(float(kl_div(found, answers, reduction="batchmean", log_target=True))))


def _or_worst(error: float) -> float:
    """Return the error, at most ``WORST``, which one that is no number counts as: no comparison may prefer it."""
    return min(error, WORST) if error < math.inf else WORST


def _length(values: Tensor) -> Tensor:
    if float(values.abs().max()) > LARGE:  # their squares may leave single precision
        values = values.double()
    length: Tensor = torch.linalg.vector_norm(values)
    return length


def output_errors(
    ann: Program,
    tuned: Program,
    v_thresholds: Mapping[str, Tensor],
    neuron_type: NeuronType,
    timesteps: int,
    images: Tensor,
    correction: Form | None = None,
    measure: Callable[[Tensor, Tensor], float] = relative_distance,
) -> list[float]:
    """Return how far the mean logits are from the ANN's after a quarter, half and all of the run.

    Neurons go into ``tuned``: ``ann`` itself, or with other weights. With a ``correction`` the network first gets
    biases of that form, fitted to these images; a bias for each timestep is judged in the run that finds it.
    ``measure`` is ``relative_distance`` or ``divergence``.
    """
    marks = sorted({max(1, timesteps // 4), max(1, timesteps // 2), timesteps})
    with torch.no_grad():
        snn, wanted = run_passes(tuned, spiking_passes(tuned, v_thresholds, neuron_type)), ann(images)
        if correction == "timestep":
            means = _MeanLogits(marks)
            fit_timestep_bias(ann, snn, timesteps, [images], observers=[means.add])
            return means.errors(wanted, measure)
        if correction is not None:
            snn = run_passes(snn, [InsertTimestepBias(fit_timestep_bias(ann, snn, timesteps, [images], correction))])
        return prefix_errors(snn, images, wanted, marks, measure)


def overall(errors: Sequence[float]) -> float:
    """Return one error for those of several prefixes of a run: their geometric mean.

    An early exit reads all of them; a mean of the errors themselves would count little but the first, which are several
    times as large.
    """
    return math.exp(sum(math.log(max(error, LEAST_ERROR)) for error in errors) / len(errors))


def prefix_errors(
    snn: Program,
    images: Tensor,
    wanted: Tensor,
    marks: Sequence[int],
    measure: Callable[[Tensor, Tensor], float] = relative_distance,
) -> list[float]:
    """Return the error of the mean logits after each number of timesteps in ``marks``, which rises.

    ``snn`` has its stem and no probe; ``wanted`` ``(B, K)`` are the ANN's logits.
    """
    assert snn.stem is not None
    means = _MeanLogits(marks)
    for part in torch.split(images, rows_together(snn, len(images))):
        unroll(program_step(snn), snn.stem(part), initial_state(snn, len(part)), marks[-1], [means.add])
    return means.errors(wanted, measure)


class _MeanLogits:
    """The mean logits after each number of timesteps in ``marks``, of one part of the images after the other."""

    def __init__(self, marks: Sequence[int]) -> None:
        self.found: dict[int, list[Tensor]] = {mark: [] for mark in marks}
        self.total = torch.zeros(())

    def add(self, t: int, results: Results, state: State) -> None:
        """Observe a timestep; the first one begins another part."""
        self.total = results[0] if t == 1 else self.total + results[0]
        if t in self.found:
            self.found[t].append(self.total / t)

    def errors(self, wanted: Tensor, measure: Callable[[Tensor, Tensor], float]) -> list[float]:
        """Return how far the mean logits are from those wanted ``(B, K)``, for each mark."""
        return [measure(torch.cat(parts), wanted) for parts in self.found.values()]
