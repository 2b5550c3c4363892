"""Read a model and its sample images, each of which may have to know something of the other."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram

from seenn_convert.analysis.layout import layout_of
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.samples import Samples
from seenn_convert.errors import InputError
from seenn_convert.frontend.factory import is_file_format
from seenn_convert.frontend.frames import for_recordings, frames_in
from seenn_convert.frontend.load import open_input, read_for_images, read_model
from seenn_convert.frontend.source import Source
from seenn_convert.frontend.torch.aten import Operator
from seenn_convert.progress import Progress, silent
from seenn_convert.workflows.convert.from_file import in_range, sizes_of_data

Model = Source | nn.Module | ExportedProgram | Path | str


def read_inputs(
    model: Model,
    data: SampleData,
    preprocessing: Preprocessing | None = None,
    weights: Path | str | None = None,
    output_name: str | None = None,
    input_shape: Sequence[int] | None = None,
    extra_operators: Sequence[Operator] = (),
    progress: Progress = silent,
) -> tuple[Source, Samples]:
    """Return the model and the images as it takes them; a file says its input, a module is read for the images.

    If the data are recordings of what a model takes, it becomes a model of recordings.

    Raises:
        InputError: Model or data cannot be read, or ``preprocessing`` is not that with which the data was opened.
    """
    if input_shape is not None and not isinstance(input_shape, Sequence):
        raise InputError(f"input_shape is the shape of one image, such as (3, 32, 32), got {input_shape!r}")
    if not isinstance(preprocessing, Preprocessing | None):
        raise InputError(f"preprocessing must be one, such as Preprocessing(crop=224), got {preprocessing!r}")
    left_open = open_input(model) if input_shape is None and isinstance(model, (str, Path)) else None
    if isinstance(data, Samples):
        if preprocessing not in (None, data.preprocessing):
            raise InputError(f"{data.name}: was opened with another preprocessing; give the path, or no preprocessing")
        shape = data.image_shape if left_open is None else sizes_of_data(left_open, data.image_shape)
        source = read_for_images(model, input_shape or shape, weights, output_name, extra_operators)
        source, _ = _fitted(source, data)
        ranged = in_range(data.preprocessing, source.pixel_range)
        if isinstance(data, Dataset) and ranged != data.preprocessing:
            data = replace(data, preprocessing=ranged)
        return source, as_samples(data, _laid_out(data.preprocessing, source))
    is_file = isinstance(model, (str, Path)) and is_file_format(model)
    if left_open is not None:
        found_sizes = as_samples(data, preprocessing, _channels_told(preprocessing), progress).image_shape
        input_shape = sizes_of_data(left_open, found_sizes)
    if input_shape is not None or isinstance(model, (Source, ExportedProgram)) or is_file:
        source = read_model(model, input_shape, weights, output_name, extra_operators)
        return _fitted(source, _samples_for(source, data, preprocessing, progress))
    samples = as_samples(data, preprocessing, _channels_told(preprocessing), progress)
    source = read_for_images(model, samples.image_shape, weights, output_name, extra_operators)
    if source.program.input_shape == tuple(samples.image_shape):
        return source, as_samples(samples, _laid_out(samples.preprocessing, source))
    return source, _samples_for(source, data, preprocessing, progress)


def _samples_for(source: Source, data: SampleData, preprocessing: Preprocessing | None, progress: Progress) -> Samples:
    """Return the data as the model that was read takes it."""
    laid_out = _laid_out(preprocessing or Preprocessing(), source)
    return as_samples(data, laid_out, progress=progress, input_shape=source.program.input_shape)


def _fitted(source: Source, data: Samples) -> tuple[Source, Samples]:
    """Return the model and the data; the model is one of recordings if it takes their frames."""
    frames = frames_in(source, tuple(data.image_shape))
    return (source if frames is None else for_recordings(source, frames)), data


def _laid_out(preprocessing: Preprocessing, source: Source) -> Preprocessing:
    return replace(in_range(preprocessing, source.pixel_range), layout=layout_of(source.program))


def _channels_told(preprocessing: Preprocessing | None) -> int | None:
    """Return how many channels the normalisation is for, None where one value stands for all."""
    values = () if preprocessing is None else (preprocessing.mean, preprocessing.std)
    return next((len(one) for one in values if one is not None and len(one) > 1), None)


def check_score(source: Source, data: Samples, batch_size: int) -> None:
    """Raise InputError if the one number that a model returns looks like a probability, and would be cut at 0."""
    if not source.reading.is_binary or source.reading.taken_off is not None:
        return
    with torch.no_grad():
        for images, _ in data.batches(batch_size):
            scores = source.program(images.to(source.program.input_dtype))[:, 1]
            if not bool(((scores >= 0) & (scores <= 1)).all()):
                return
    raise InputError(
        f"{source.name}: it returns one number per image, between 0 and 1 for all {len(data)} images, which looks like "
        "a probability: read as a logit, it would always be class 1; return the logit that it is made of, or its "
        "torch.sigmoid"
    )
