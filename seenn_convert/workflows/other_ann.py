"""Another ANN beside an artifact: one to compare with, or one to learn from."""

from pathlib import Path

from seenn_convert.analysis.frames import frames_of
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.data.checks import classes_of, outputs_of
from seenn_convert.errors import InputError
from seenn_convert.frontend.frames import for_recordings
from seenn_convert.frontend.load import read_model
from seenn_convert.ir.program import Program
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import ANN_PASSES
from seenn_convert.workflows.convert.inputs import Model


def other_ann(
    model: Program | Model,
    artifact: Artifact,
    advice: str,
    weights: Path | str | None = None,
    output_name: str | None = None,
) -> Program:
    """Return an ANN that takes the images of ``artifact`` and has its classes; a program is taken as it is.

    Raises:
        InputError: It cannot be read, or does not fit; ends with ``advice``.
    """
    if isinstance(model, Program):
        return model
    frames, shape = frames_of(artifact.snn), artifact.snn.input_shape
    source = read_model(model, shape if frames is None else shape[1:], weights, output_name)
    if frames is not None and source.program.input_shape == shape[1:]:
        source = for_recordings(source, frames)
    if source.program.input_shape != artifact.snn.input_shape:
        raise InputError(
            f"{source.name}: takes images {source.program.input_shape}, the artifact takes {artifact.snn.input_shape}; "
            f"{advice}"
        )
    ann, classes = run_passes(source.program, ANN_PASSES), classes_of(artifact.snn)
    found = outputs_of(ann)
    if found != classes:
        raise InputError(f"{source.name}: has {found} classes, the artifact has {classes}; {advice}")
    return ann
