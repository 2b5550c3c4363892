"""Read a model and its images once, check them, and bring the ANN into the form that every conversion starts from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from seenn_convert.artifact.provenance import model_provenance
from seenn_convert.artifact.schema.provenance import ModelOrigin
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.calibration.observe import check_images
from seenn_convert.data.adapters import SampleData
from seenn_convert.data.checks import check_steps, checked_names, outputs_of, shape_problem
from seenn_convert.data.class_numbers import number_notes
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.samples import Samples
from seenn_convert.errors import CalibrationDataError, InputError
from seenn_convert.frontend.torch.aten import Operator
from seenn_convert.ir.program import Program, Stage
from seenn_convert.measure.data_cautions import unused_preprocessing
from seenn_convert.passes.base import Pass, run_passes
from seenn_convert.passes.sequence import ANN_PASSES
from seenn_convert.progress import Progress, silent
from seenn_convert.workflows.convert.drawing import used_images
from seenn_convert.workflows.convert.inputs import Model, check_score, read_inputs
from seenn_convert.workflows.convert.known import Known
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.stages.clamps import settle_clamps

CHECKED_IMAGES, CHECKED_NUMBERS = (4, 16), 600_000
"""Fewest and most images on which every rewriting of the ANN is checked, and the numbers in them where the bounds
allow it: large images check as many activations in fewer rows."""


@dataclass(frozen=True)
class Prepared:
    """A model and its images, read and checked: what conversions by several options have in common.

    Attributes:
        ann: After the passes of stage ANN that depend on no option.
        images: Some of the images, on which every rewriting of the ANN is checked.
        data: Calibration data.
        model: Where the model comes from.
        parity: Relative error against the original; None if it is not known.
        known: What is known of the ANN on new images.
        extra_passes: Passes of the user's own.
        warnings: About the inputs.
    """

    ann: Program
    images: Tensor
    data: Samples
    model: ModelOrigin
    parity: float | None
    known: Known = field(default_factory=Known)
    extra_passes: Sequence[Pass] = ()
    warnings: Sequence[Caution] = ()


def prepare(
    model: Model,
    calibration_data: SampleData,
    options: Options,
    weights: Path | str | None = None,
    progress: Progress = silent,
    *,
    output_name: str | None = None,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    input_shape: Sequence[int] | None = None,
    extra_operators: Sequence[Operator] = (),
    extra_passes: Sequence[Pass] = (),
    ann_accuracy: float | None = None,
    exit_data: SampleData | None = None,
    validation_data: SampleData | None = None,
) -> Prepared:
    """Return what conversions of one model have in common; arguments and errors are those of ``convert``."""
    check_options(options)
    known = Known.of(ann_accuracy, exit_data, validation_data)
    progress("reading the model", 0, 1)
    source, data = read_inputs(
        model, calibration_data, preprocessing, weights, output_name, input_shape, extra_operators, progress
    )
    given = calibration_data.preprocessing if isinstance(calibration_data, Samples) else preprocessing
    check_steps(data, given, source.program.input_shape)
    if class_names is not None:
        data = data.with_classes(checked_names(class_names, outputs_of(source.program)))
    else:
        source = source.with_notes(number_notes(data.class_names, outputs_of(source.program)))
    data = used_images(data, options)
    check_data(source.program, data)
    images = first_images(source.program, data)
    parity = source.check(images)
    source = source.noted(images)
    check_score(source, data, options.batch_size)
    source = settle_clamps(source, data, options, images, progress)
    ann = run_passes(source.program, (*ANN_PASSES, *of_stage(Stage.ANN, extra_passes)), images)
    progress("reading the model", 1, 1)
    return Prepared(ann, images, data, model_provenance(source), parity, known, extra_passes,
                    tuple(unused_preprocessing(data, given)))  # fmt: skip


def check_options(options: object) -> None:
    """Raise InputError unless these are options."""
    if not isinstance(options, Options):
        raise InputError(f"options are of type {type(options).__name__}; give Options, such as Options(timesteps=8)")


def of_stage(stage: Stage, passes: Sequence[Pass]) -> list[Pass]:
    """Return the passes that accept programs of ``stage``."""
    return [one for one in passes if one.accepts is stage]


def first_images(program: Program, data: Samples) -> Tensor:
    """Return the images on which rewritings of the ANN are checked."""
    fewest, most = CHECKED_IMAGES
    count = max(fewest, min(most, CHECKED_NUMBERS // math.prod(program.input_shape)))
    images = next(data.batches(count))[0]
    check_images(images, program.input_shape, range(len(images)))
    return images


def check_data(program: Program, data: Samples) -> None:
    """Raise CalibrationDataError if the images do not fit the program, or are too few."""
    problem = shape_problem(data, program.input_shape)
    if problem is not None:
        raise CalibrationDataError(problem)
    if len(data) < 2:
        raise CalibrationDataError(f"{data.name}: {len(data)} image is too few to calibrate; give some hundreds")
