"""Read MODEL, whatever it is: an ``.onnx`` file, a ``.pt2`` file, ``package.module:factory``, or a module."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram

from seenn_convert.analysis.layout import layout_notes
from seenn_convert.data.events import FRAME_AXES
from seenn_convert.errors import InputError, SeennConvertError, reason_of
from seenn_convert.frontend.classifier import as_classifier
from seenn_convert.frontend.factory import call_factory, check_file, is_factory, is_file_format
from seenn_convert.frontend.frames import for_recordings, frames_in
from seenn_convert.frontend.outputs import choose, select
from seenn_convert.frontend.source import Source
from seenn_convert.frontend.torch.aten import Operator
from seenn_convert.frontend.torch.exported import image_type, reference, with_sizes
from seenn_convert.frontend.torch.read import from_exported, from_torch, read_pt2, refusal
from seenn_convert.frontend.torch.whole_numbers import pixel_range_of, whole_number_notes

OTHER_CHANNELS = {1: 3, 3: 1}
"""Grey and colour: what image data can be turned into where a model does not take it as it is."""


def read_model(
    model: "Source | nn.Module | ExportedProgram | Path | str",
    input_shape: Sequence[int] | None = None,
    weights: Path | str | None = None,
    output_name: str | None = None,
    extra_operators: Sequence[Operator] = (),
) -> Source:
    """Read a classifier into a program.

    Args:
        model: A module in eval mode, an exported program, a file ``.onnx`` or ``.pt2``, ``package.module:factory``, or
            what this function has read before.
        input_shape: Shape of one image; needed for modules and factories, and for files that leave sizes open. With an
            axis of frames in front, a model of single frames is read for recordings.
        weights: A file with the state of the factory's module: ``.safetensors``, or what ``torch.save`` wrote of a
            state dict.
        output_name: Which of its outputs are the logits, if it has several: a name in an ONNX file, a key of a
            mapping, or a position.
        extra_operators: Operators of the user's own, by the names that the exported graph has for them.

    Raises:
        InputError: The model cannot be read; says what to do.
        UnsupportedOperatorError: Lists every call that has no conversion.
    """
    if isinstance(model, Source):
        if output_name not in (None, model.output_name):
            raise InputError(f"{model.name} has been read already; give output_name to read_model")
        return model
    source = _with_layout(_read(model, input_shape, weights, output_name, extra_operators))
    return _for_frames(source, input_shape)


def _read(
    model: "nn.Module | ExportedProgram | Path | str", input_shape: Sequence[int] | None, weights: Path | str | None,
    output_name: str | None, extra_operators: Sequence[Operator],
) -> Source:  # fmt: skip
    if weights is not None and isinstance(model, (nn.Module, ExportedProgram)):
        raise InputError("the model holds its weights; weights are for package.module:factory")
    if isinstance(model, nn.Module):
        return _from_module(model, type(model).__name__, input_shape, output_name, extra_operators)
    if isinstance(model, ExportedProgram):
        return _from_exported(model, "exported program", None, input_shape, output_name, extra_operators)
    if not isinstance(model, (str, Path)):
        raise InputError(_no_model(model))
    path = Path(model)
    if weights is not None and path.suffix in (".onnx", ".pt2"):
        raise InputError(f"{path.name} holds its weights; --weights is for package.module:factory")
    if path.suffix == ".onnx":
        return _from_onnx(path, output_name, input_shape)
    if path.suffix == ".pt2":
        check_file(path)
        return _from_pt2(path, input_shape, output_name, extra_operators)
    if is_factory(path):
        module, notes = call_factory(str(model), weights)
        source = _from_module(module, str(model), input_shape, output_name, extra_operators, weights)
        return replace(source, notes=(*notes, *source.notes))
    if not path.exists() and "." in path.name:
        raise InputError(
            f"{path}: no such file; check the path, or if a function returns the model, give package.module:factory, "
            "with a colon before the function"
        )
    check_file(path)
    raise InputError(
        f"{path}: not a model format that can be read; give .onnx, .pt2 or package.module:factory, "
        "the last with a .safetensors or .pth file as its weights"
    )


def _no_model(model: object) -> str:
    """Return why something is no model, and what to give instead."""
    wanted = "give a module in eval mode, an exported program, or the path of an .onnx or .pt2 file"
    if isinstance(model, type) and issubclass(model, nn.Module):
        return f"{model.__name__} is a class of modules, not a module; give an instance with its trained weights"
    if isinstance(model, dict):
        return "a state dict holds weights alone; load it into its module (module.load_state_dict(...)) and give that"
    return f"the model is of type {type(model).__name__}; {wanted}"


def read_for_images(
    model: "Source | nn.Module | ExportedProgram | Path | str",
    image_shape: Sequence[int],
    weights: Path | str | None = None,
    output_name: str | None = None,
    extra_operators: Sequence[Operator] = (),
) -> Source:
    """Read a model for images ``(C, H, W)``, as ``read_model`` does.

    What a module or factory takes is not known before it is tried: where a factory's module does not accept grey
    images, it is read for colour ones, and the other way round; where a module takes neither, for images with their
    channels last. The program says which it was. Where ``image_shape`` has four axes and a model does not take all of
    them, these are recordings ``(frames, C, H, W)``, and the model is read for their frames.
    """
    return _for_frames(_read_for_images(model, image_shape, weights, output_name, extra_operators), image_shape)


def _for_frames(source: Source, shape: Sequence[int] | None) -> Source:
    """Return the model as one of recordings if inputs of ``shape`` are recordings of what it takes."""
    frames = None if shape is None else frames_in(source, tuple(shape))
    return source if frames is None else for_recordings(source, frames)


def _read_for_images(
    model: "Source | nn.Module | ExportedProgram | Path | str", image_shape: Sequence[int], weights: Path | str | None,
    output_name: str | None, extra_operators: Sequence[Operator],
) -> Source:  # fmt: skip
    if isinstance(model, nn.Module) and not model.training and len(image_shape) == 3:
        return read_model(model, _accepted(model, image_shape), weights, output_name, extra_operators)
    if isinstance(model, (str, Path)) and is_factory(model):
        module, notes = call_factory(str(model), weights)
        shape = _accepted(module, image_shape, other_channels=True)
        source = _with_layout(_from_module(module, str(model), shape, output_name, extra_operators, weights))
        return replace(source, notes=(*notes, *source.notes))
    is_file = isinstance(model, (str, Path)) and is_file_format(model) and open_input(model) is None
    if is_file or isinstance(model, ExportedProgram):
        return read_model(model, None, weights, output_name, extra_operators)
    return read_model(model, image_shape, weights, output_name, extra_operators)


def _accepted(module: nn.Module, shape: Sequence[int], other_channels: bool = False) -> Sequence[int]:
    """Return the first shape of an image that a module accepts: as the data has it, or with its channels last.

    If ``other_channels``, grey images are tried as colour ones, and colour ones as grey. Data with four axes is tried
    as it is, as a volume, and then for its frames. If nothing is accepted, the likeliest shape is returned.
    """
    shape = tuple(shape)
    if len(shape) == 1 + FRAME_AXES:
        volumes = any(isinstance(layer, nn.Conv3d) for layer in module.modules())
        return shape if volumes or refusal(module, shape) is None else shape[1:]
    others = []
    if len(shape) == 3:
        channels, *size = shape
        others = [(OTHER_CHANNELS[channels], *size)] if other_channels and channels in OTHER_CHANNELS else []
        others += [(*size, channels) for channels, *size in [shape, *others]]
    return next((one for one in (shape, *others) if refusal(module, one) is None), shape)


def _with_layout(source: Source) -> Source:
    """Return the source with a note on how images lie in its input, unless that is as usual."""
    return source.with_notes(layout_notes(source.program))


def open_input(model: str | Path) -> tuple[int | None, ...] | None:
    """Return the shape of an image in an ONNX file that leaves sizes of it open, None for each; else None."""
    path = Path(model)
    if path.suffix != ".onnx" or not path.is_file():
        return None
    from seenn_convert.frontend.onnx.file import damage_told, load_model
    from seenn_convert.frontend.onnx.image import open_shape

    with damage_told(path):
        return open_shape(load_model(path, with_weights=False), path)


def _from_module(
    module: nn.Module, name: str, input_shape: Sequence[int] | None, output_name: str | None,
    extra: Sequence[Operator], weights: Path | str | None = None,
) -> Source:  # fmt: skip
    if input_shape is None:
        raise InputError(
            f"{name}: the shape of its input is not known; give it (--input-shape, input_shape), or sample data"
        )
    if len(input_shape) == 1 + FRAME_AXES and not module.training:
        input_shape = _accepted(module, input_shape)
    program = from_torch(module, input_shape, output_name=output_name, extra_operators=extra)
    path = None if weights is None else Path(weights)
    return _classifier(
        Source(program, name, "module", path, lambda images: select(module(images), output_name), output_name)
    )


def _from_exported(
    exported: ExportedProgram, name: str, path: Path | None, input_shape: Sequence[int] | None,
    output_name: str | None, extra: Sequence[Operator],
) -> Source:  # fmt: skip
    program = from_exported(with_sizes(exported, input_shape), output_name, extra)
    source = Source(program, name, "pt2", path, reference(exported, output_name), output_name)
    kind = image_type(exported)
    return _classifier(replace(source, notes=whole_number_notes(kind), pixel_range=pixel_range_of(kind)))


def _from_pt2(
    path: Path, input_shape: Sequence[int] | None, output_name: str | None, extra: Sequence[Operator]
) -> Source:
    """Read a file and run it on one black image: what was changed by hand may be read and not run."""
    try:
        source = _from_exported(read_pt2(path, extra), path.name, path, input_shape, output_name, extra)
        with torch.no_grad():
            source.program(torch.zeros(1, *source.program.input_shape, dtype=source.program.input_dtype))
    except SeennConvertError:
        raise
    except Exception as error:  # whatever the content of a damaged file may provoke
        raise InputError(f"{path}: its graph does not run ({reason_of(error)}); export the model again") from error
    return source


def _from_onnx(path: Path, output_name: str | None, input_shape: Sequence[int] | None) -> Source:
    from seenn_convert.frontend.onnx.file import output_names
    from seenn_convert.frontend.onnx.reader import read_onnx

    check_file(path)
    if output_name is None:
        names = output_names(path)
        choose(names, [True] * len(names), None)
    network = read_onnx(path, output_name, input_shape)
    program = from_torch(network, network.input_shape, network.input_dtype)
    source = Source(program, path.name, "onnx", path, output_name=output_name, notes=network.notes)
    return _classifier(replace(source, pixel_range=network.pixel_range))


def _classifier(source: Source) -> Source:
    """Return the source with a program that returns logits ``(B, K)``."""
    program, reading = as_classifier(source.program)
    return replace(source, program=program, reading=reading, notes=(*source.notes, *reading.notes()))
