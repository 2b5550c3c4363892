"""An exported program as a function, and with the sizes of its image settled."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from seenn_convert.errors import InputError, reason_of
from seenn_convert.frontend.outputs import select
from seenn_convert.frontend.quiet import quiet
from seenn_convert.frontend.torch.versions import runnable
from seenn_convert.frontend.torch.whole_numbers import as_whole


def reference(exported: ExportedProgram, output_name: str | None) -> Callable[[Tensor], Tensor]:
    """Return the original program, for images in any type; one for a fixed batch is run in batches of that size."""
    program, kind = runnable(exported), image_type(exported)

    def module(images: Tensor) -> object:
        return program(images if kind.is_floating_point else as_whole(images, kind))

    image = _image(exported)
    batch = None if image is None else image.shape[0]
    if not isinstance(batch, int):
        return lambda images: select(module(images), output_name)

    def run(images: Tensor) -> Tensor:
        missing = -len(images) % batch
        whole = torch.cat([images, images[:1].expand(missing, *images.shape[1:])])
        return torch.cat([select(module(part), output_name) for part in torch.split(whole, batch)])[: len(images)]

    return run


def image_type(exported: ExportedProgram) -> torch.dtype:
    """Return the type of number that an exported program takes its image in."""
    image = _image(exported)
    return torch.float32 if image is None else image.dtype


def with_sizes(exported: ExportedProgram, input_shape: Sequence[int] | None) -> ExportedProgram:
    """Return a program that takes images of one shape; a program that leaves sizes open is exported again for it.

    Raises:
        InputError: A size is open and no shape is given, or the program does not take images of that shape.
    """
    image = _image(exported)
    if image is None or image.ndim < 2:
        return exported
    shown = f"({', '.join(map(str, image.shape))})"
    is_open = any(not isinstance(size, int) for size in image.shape[1:])
    if input_shape is None:
        if is_open:
            raise InputError(
                f"the model's input has shape {shown}, which leaves sizes of an image open; give them with "
                "--input-shape (input_shape in Python)"
            )
        return exported
    shape = tuple(input_shape)
    fixed = tuple(size if isinstance(size, int) else None for size in image.shape[1:])
    if len(shape) != len(fixed) or any(b not in (None, a) for a, b in zip(shape, fixed, strict=True)):
        raise InputError(
            f"the model's input has shape {shown}, and images of shape {shape} do not fit it behind the batch "
            "dimension; give the shape that the model takes"
        )
    return _exported_again(exported, shape, image.dtype) if is_open else exported


def _exported_again(exported: ExportedProgram, shape: tuple[int, ...], dtype: torch.dtype) -> ExportedProgram:
    images = torch.zeros(2, *shape, dtype=dtype)
    try:
        with torch.no_grad(), quiet():
            return torch.export.export(runnable(exported), (images,), dynamic_shapes=({0: Dim.AUTO},), strict=False)
    except Exception as error:  # the user's program may raise anything
        raise InputError(
            f"the model leaves sizes open, but does not take images of shape {shape} ({reason_of(error)}); give "
            "another shape, or export it for one"
        ) from error


def _image(exported: ExportedProgram) -> Tensor | None:
    """Return the image the program was traced with; None if it has no input that is a tensor."""
    names = {str(name) for name in exported.graph_signature.user_inputs}
    found = (node.meta.get("val") for node in exported.graph.nodes if node.op == "placeholder" and node.name in names)
    return next((value for value in found if isinstance(value, Tensor)), None)
