"""Check whether a network fits a chip or another tool, before money is spent."""

from collections.abc import Sequence
from pathlib import Path

from seenn_convert.artifact.artifact import Artifact, is_artifact, load_artifact
from seenn_convert.export.check.findings import Fit
from seenn_convert.export.check.judge import judge
from seenn_convert.export.check.reading import network_of_artifact, network_of_model
from seenn_convert.export.check.target import read_target
from seenn_convert.export.check.view import Network
from seenn_convert.frontend.load import read_model
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import ANN_PASSES
from seenn_convert.workflows.convert.inputs import Model


def check(
    model: Artifact | Model,
    target: str | Path,
    *,
    input_shape: Sequence[int] | None = None,
    weights: Path | str | None = None,
    output_name: str | None = None,
) -> Fit:
    """Return whether a network fits ``target``, call site by call site, and what would help where it does not.

    Args:
        model: What ``convert`` made, or the folder in which it is; or a model as ``convert`` takes it.
        target: ``"speck2f"``, ``"speck2e"``, ``"akida1"``, ``"akida2"``, ``"xylo"``, ``"loihi2"``, ``"spinnaker2"``,
            ``"nir"`` or ``"hls4ml"``; or a ``.toml`` file of your own with the limits of another one.
        input_shape: Shape of one image; needed for modules and factories, and for files that leave sizes open.
        weights: A file with the state of a factory's module.
        output_name: Which output of a model holds the logits, if it has several.

    Raises:
        InputError: The network cannot be read, or there is no such target.
    """
    name, limits = read_target(target)
    return judge(_network(model, input_shape, weights, output_name), limits, name)


def _network(
    model: Artifact | Model, input_shape: Sequence[int] | None, weights: Path | str | None, output_name: str | None
) -> Network:
    if isinstance(model, (str, Path)) and is_artifact(Path(model)):
        return network_of_artifact(load_artifact(model), str(model))
    if isinstance(model, Artifact):
        return network_of_artifact(model, model.provenance.model.name)
    source = read_model(model, input_shape, weights, output_name)
    return network_of_model(run_passes(source.program, ANN_PASSES), source.name)
