"""What the number formats of a target do to answers and exits, simulated on images."""

import torch

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.data.samples import Samples
from seenn_convert.errors import InputError
from seenn_convert.exporters.check.findings import PrecisionEffect
from seenn_convert.exporters.check.formats import WholeNumbers
from seenn_convert.exporters.check.target import Target
from seenn_convert.exporters.check.view import Network
from seenn_convert.ir.state import rows_together
from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
from seenn_convert.runtime.fresh_rows import Steppable


def simulate(artifact: Artifact, network: Network, target: Target, data: Samples, batch_size: int) -> PrecisionEffect:
    """Return how many of the images are answered otherwise, or leave at another timestep, with the target's formats.

    Raises:
        InputError: The formats of the target are not known, or it runs no spikes.
    """
    precision = target.precision
    if precision is None:
        raise InputError(f"the number formats of {target.title} are not stated; leave --data out")
    if target.runs != "spikes":
        raise InputError(
            f"{target.title} runs the ANN and no timesteps; its formats are not simulated: leave --data out"
        )
    host = {site.name for site in network.sites if site.in_front and target.front == "host"}
    limited = WholeNumbers(artifact, network, precision, host)
    before, after = (_run(model, artifact, data, batch_size) for model in (artifact.model(), limited))
    return PrecisionEffect(
        images=len(data),
        weight_bits=precision.weight_bits,
        weights_per=precision.weights_per,
        state_bits=precision.state_bits,
        answers_changed=int((before.predictions != after.predictions).sum()),
        exits_changed=int((before.exit_step != after.exit_step).sum()),
        accuracy=_accuracy(data, before, after),
        average_timesteps=(before.average_timesteps, after.average_timesteps),
        saturated=limited.saturated / max(limited.states, 1),
    )


def _run(model: Steppable, artifact: Artifact, data: Samples, batch_size: int) -> ExitTrace:
    capacity = rows_together(artifact.snn, batch_size)
    with torch.no_grad():
        return run_early_exit(model, (images for images, _ in data.batches(capacity)), min(capacity, len(data)))


def _accuracy(data: Samples, before: ExitTrace, after: ExitTrace) -> tuple[float, float] | None:
    if data.labels is None:
        return None
    right = [(trace.predictions.cpu() == data.labels).double().mean().item() for trace in (before, after)]
    return right[0], right[1]
