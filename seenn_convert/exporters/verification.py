"""Compare what an export computes with the network it was made from: one timestep, then whole runs.

Bit-equality cannot be asked for, since another runtime adds in another order. So one timestep is compared from our own
states, where an error is not yet carried on; and in whole runs the answers and exit steps that differ are counted, next
to what double precision changes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.errors import ExportError
from seenn_convert.exporters.exporter import Verification
from seenn_convert.ir.interpreter import magnitudes
from seenn_convert.ir.operators import QuantisedReLU
from seenn_convert.neurons.layers import Neuron
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.neurons.traced import TracedNeuron
from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
from seenn_convert.runtime.engine import Drives, State, unroll
from seenn_convert.runtime.fresh_rows import Steppable
from seenn_convert.runtime.spiking_model import SpikingModel

TOLERANCE = 1e-4
"""Largest difference of a result of one timestep, as a share of the largest value of its kind."""

EDGE = 1e-5
"""A neuron whose membrane is this close to a whole number of thresholds may fire or not by rounding."""

ROWS = (1, 3, 16)
"""Batch sizes that a timestep is compared with."""

WATCHED = 3
"""Timesteps that are compared one by one."""

TOGETHER = 64
"""Images that run together."""


@dataclass(frozen=True)
class _Found:
    """What comparing rows of one timestep found: the largest error elsewhere, rows that flipped, rows compared."""

    error: float = 0.0
    flipped: int = 0
    rows: int = 0

    def __add__(self, other: "_Found") -> "_Found":
        return _Found(max(self.error, other.error), self.flipped + other.flipped, self.rows + other.rows)


def compared_answers(
    artifact: Artifact, traced: Callable[[Tensor], ExitTrace], images: Tensor, runtime: str
) -> Verification:
    """Return how an export that shows no timesteps compares with the network: its answers, as a batch and alone.

    The logits of images that left at the same timestep are compared, too: their largest difference is the error.

    Raises:
        ExportError: An image alone comes out as another than in the batch.
    """
    with torch.no_grad():
        ours, theirs = _traced(artifact.model(), images), _joined([traced(part) for part in _batches(images)])
        exact = _exact(artifact, images)
    for number in range(min(ALONE, len(images))):
        alone = traced(images[number : number + 1])
        if int(alone.exit_step) != int(theirs.exit_step[number]) or int(alone.predictions) != int(
            theirs.predictions[number]
        ):
            raise ExportError(
                f"image {number} alone comes out as another than among others; please report it, and use --no-verify "
                "to have the files"
            )
    same = (ours.exit_step == theirs.exit_step) & (ours.predictions == theirs.predictions)
    errors = row_errors(ours.logits[same], theirs.logits[same]) if bool(same.any()) else torch.zeros(1)
    return _counted(runtime, _Found(float(errors.max()), 0, len(images)), ours, theirs, exact)


ALONE = 3
"""Images that are run alone, too."""


def _joined(traces: Sequence[ExitTrace]) -> ExitTrace:
    fields = ("predictions", "logits", "exit_step", "confidence")
    return ExitTrace(*(torch.cat([getattr(trace, name) for trace in traces]) for name in fields))


def verified(artifact: Artifact, network: Steppable, images: Tensor, runtime: str) -> Verification:
    """Return how an export compares with the network on preprocessed images ``(N, *input_shape)``.

    Raises:
        ExportError: A timestep differs by more than rounding explains; says which node.
    """
    with torch.no_grad():
        model = artifact.model()
        steps = compared_steps(model, network, images)
        ours, theirs = (_traced(one, images) for one in (model, network))
        exact = _exact(artifact, images)
    return _counted(runtime, steps, ours, theirs, exact)


def _counted(runtime: str, steps: _Found, ours: ExitTrace, theirs: ExitTrace, exact: ExitTrace | None) -> Verification:
    return Verification(
        runtime=runtime,
        images=len(ours),
        made_up=False,
        largest_error=steps.error,
        flipped_rows=steps.flipped,
        compared_rows=steps.rows,
        answers_differ=differing(ours.predictions, theirs.predictions),
        exits_differ=differing(ours.exit_step, theirs.exit_step),
        answers_differ_by_rounding=None if exact is None else differing(ours.predictions, exact.predictions),
        exits_differ_by_rounding=None if exact is None else differing(ours.exit_step, exact.exit_step),
    )


def rounding_alone(artifact: Artifact, images: Tensor) -> tuple[int | None, int | None]:
    """Return how many answers, and how many exit steps, differ if the network itself runs in double precision.

    None for both if its own operators ask for single precision.
    """
    with torch.no_grad():
        exact = _exact(artifact, images)
        if exact is None:
            return None, None
        ours = _traced(artifact.model(), images)
    return differing(ours.predictions, exact.predictions), differing(ours.exit_step, exact.exit_step)


def differing(ours: Tensor, theirs: Tensor) -> int:
    """Return in how many places two tensors differ."""
    return int((ours != theirs).sum())


def _traced(model: Steppable, images: Tensor) -> ExitTrace:
    return run_early_exit(model, _batches(images), min(TOGETHER, len(images)))


def _exact(artifact: Artifact, images: Tensor) -> ExitTrace | None:
    """Return what the network gives in double precision; None if its own operators ask for single precision."""
    try:
        return _traced(artifact.model().double(), images)
    except RuntimeError:
        return None


def _batches(images: Tensor) -> list[Tensor]:
    return [images[first : first + TOGETHER] for first in range(0, len(images), TOGETHER)]


def compared_steps(model: SpikingModel, network: Steppable, images: Tensor) -> _Found:
    """Compare stem and first timesteps, each from our own state, for several batch sizes."""
    found = _Found()
    for count in sorted({min(rows, len(images)) for rows in ROWS}):
        batch = images[:count]
        drives = model.drive(batch)
        found += _stem_compared(model, drives, network.drive(batch))
        found += _run_compared(model, network, drives)
    return found


def _stem_compared(model: SpikingModel, ours: Drives, theirs: Drives) -> _Found:
    errors = torch.stack([row_errors(one, other) for one, other in zip(ours, theirs, strict=True)]).amax(0)
    far = errors > TOLERANCE
    if bool(far.any()) and not any(isinstance(module, QuantisedReLU) for module in model.stem.modules()):
        raise ExportError(
            f"the exported stem differs by {float(errors.max()):.2g} of the largest value, which rounding does not "
            "explain; please report it, and use --no-verify to have the files"
        )
    return _Found(float(errors[~far].max()) if bool((~far).any()) else 0.0, int(far.sum()), 0)


def _run_compared(model: SpikingModel, network: Steppable, drives: Drives) -> _Found:
    """Compare the first timesteps of a run of ours."""
    before, found = model.initial_state(len(drives[0])), _Found()

    def watch(t: int, results: tuple[Tensor, ...], state: State) -> None:
        nonlocal before, found
        *seen, following = network.step(drives, before)
        found += _step_compared(model, (*results, *state.values()), (*seen, *following.values()))
        before = state

    unroll(model.step, drives, before, min(WATCHED, model.timesteps), observers=[watch])
    return found


def _step_compared(model: SpikingModel, ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> _Found:
    names = ("logits", "score", *(spec.name for spec in model.program.states))
    errors = torch.stack([row_errors(one, other) for one, other in zip(ours, theirs, strict=True)])
    far = (errors > TOLERANCE).any(0)
    excused = torch.zeros_like(far)
    if bool(far.any()):
        pairs = {name: pair for name, *pair in zip(names, ours, theirs, strict=True)}
        excused = far & (torch.ones_like(far) if _hides_its_edge(model) else _flipped(model, pairs))
    if bool((far & ~excused).any()):
        worst = int((errors * (far & ~excused)).amax(1).argmax())
        raise ExportError(
            f"one timestep of the export differs: {names[worst]} by {float(errors[worst].max()):.2g} of the largest "
            "value, and no neuron is on the edge of firing; please report it, and use --no-verify to have the files"
        )
    kept = errors[:, ~far]
    return _Found(float(kept.max()) if kept.numel() else 0.0, int(excused.sum()), len(far))


def row_errors(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return the largest difference of each row ``(B,)``, as a share of the largest value of ours, at least of 1."""
    if ours.shape != theirs.shape:
        raise ExportError(f"the export returns {tuple(theirs.shape)} in place of {tuple(ours.shape)}; please report it")
    share = (ours - theirs).abs() / magnitudes(ours).clamp(min=1.0)
    share = torch.where((ours == theirs) | (ours.isnan() & theirs.isnan()), 0.0, share)
    return share.flatten(1).amax(1) if share.dim() > 1 else share


def _hides_its_edge(model: SpikingModel) -> bool:
    """Return whether the states do not show which neurons fired: the law is a user's, or resets a timestep later."""
    return any(
        isinstance(layer.neuron, TracedNeuron) or (isinstance(layer.neuron, LeakyNeuron) and layer.neuron.delayed)
        for layer in model.layers
    )


def _flipped(model: SpikingModel, pairs: dict[str, list[Tensor]]) -> Tensor:
    """Return the rows ``(B,)`` whose first layer of neurons that differs was on the edge of firing where it differs.

    What the membrane holds after a step is then close to a whole number of thresholds, in ours as in theirs.
    """
    settled = flipped = torch.zeros(len(pairs["score"][0]), dtype=torch.bool)
    for name, neuron in _membranes(model):
        ours, theirs = pairs[name]
        apart = (ours - theirs).abs() > 0.5 * neuron.v_threshold  # a spike more or less is at least a threshold
        on_edge = _on_edge(ours / neuron.v_threshold) | _on_edge(theirs / neuron.v_threshold)
        differs = apart.flatten(1).any(1)
        excused = differs & ~(apart & ~on_edge).flatten(1).any(1)
        flipped, settled = flipped | (excused & ~settled), settled | differs
    return flipped


def _on_edge(held: Tensor) -> Tensor:
    """Return where a membrane holds a whole number of thresholds, up to rounding."""
    return (held - held.round()).abs() <= EDGE * held.abs().clamp(min=1.0)


def _membranes(model: SpikingModel) -> Iterator[tuple[str, Neuron]]:
    """Yield the name of each membrane potential with its neurons, in the order in which they run."""
    for node, module in model.program.calls():
        if isinstance(module, Neuron):
            if "v" not in module.state_names:
                continue
            states = [one for one in node.args if isinstance(one, fx.Node)][-len(module.state_names) :]
            yield states[module.state_names.index("v")].name, module
