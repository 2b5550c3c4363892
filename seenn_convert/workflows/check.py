"""Check whether a network fits a chip or another tool, before money is spent."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seenn_convert.artifact.artifact import Artifact, is_artifact, load_artifact
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.errors import InputError
from seenn_convert.exporters.check.findings import Fit
from seenn_convert.exporters.check.judge import judge
from seenn_convert.exporters.check.precision import simulate
from seenn_convert.exporters.check.reading import network_of_artifact, network_of_model
from seenn_convert.exporters.check.target import read_target
from seenn_convert.frontend.load import read_model
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import ANN_PASSES
from seenn_convert.progress import Progress, silent
from seenn_convert.workflows.convert.inputs import Model


def check(
    model: Artifact | Model,
    target: str | Path,
    *,
    data: SampleData | None = None,
    limit: int = 256,
    seed: int = 0,
    input_shape: Sequence[int] | None = None,
    weights: Path | str | None = None,
    output_name: str | None = None,
    batch_size: int = 128,
    progress: Progress = silent,
) -> Fit:
    """Return whether a network fits ``target``, call site by call site, and what would help where it does not.

    Args:
        model: What ``convert`` made, or the folder in which it is; or a model as ``convert`` takes it.
        target: ``"speck2f"``, ``"speck2e"``, ``"akida1"``, ``"akida2"``, ``"xylo"``, ``"loihi2"``, ``"spinnaker2"``,
            ``"nir"`` or ``"hls4ml"``; or a ``.toml`` file of your own with the limits of another one.
        data: Images, best with labels, on which an artifact runs as it is and with the number formats of the target;
            None leaves that out.
        limit: How many of them are drawn, each class by its share.
        seed: Of that draw.
        input_shape: Shape of one image; needed for modules and factories, and for files that leave sizes open.
        weights: A file with the state of a factory's module.
        output_name: Which output of a model holds the logits, if it has several.
        batch_size: Images that run together.
        progress: Told about the images read.

    Raises:
        InputError: The network cannot be read, or there is no such target; or ``data`` is given with a model, or for a
            target whose number formats cannot be simulated.
    """
    name, limits = read_target(target)
    if isinstance(model, Artifact):
        artifact, called = model, model.provenance.model.name
    elif isinstance(model, (str, Path)) and is_artifact(Path(model)):
        artifact, called = load_artifact(model), str(model)
    elif data is not None:
        raise InputError("number formats are simulated on a converted network; convert the model and check that")
    else:
        source = read_model(model, input_shape, weights, output_name)
        return judge(network_of_model(run_passes(source.program, ANN_PASSES), source.name), limits, name)
    network = network_of_artifact(artifact, called)
    fit = judge(network, limits, name)
    if data is None:
        return fit
    samples = as_samples(data, artifact.preprocessing, progress=progress, input_shape=artifact.snn.input_shape)
    effect = simulate(artifact, network, limits, samples.take(limit, seed), batch_size)
    return replace(fit, precision=effect)
