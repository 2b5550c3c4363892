"""Read an ONNX file into a PyTorch network of ordinary modules, one for each ONNX node that computes something."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from seenn_convert.errors import InputError, UnsupportedOperatorError
from seenn_convert.frontend.onnx.assembly import Assembly, Step
from seenn_convert.frontend.onnx.file import damage_told
from seenn_convert.frontend.onnx.image import ImageInput, image_of
from seenn_convert.frontend.onnx.operators.base import Activation, Value
from seenn_convert.frontend.onnx.preparation import Prepared, prepare


class OnnxNetwork(nn.Module):
    """The network of an ONNX file, in eval mode and without gradients; submodules are named after the ONNX nodes.

    Attributes:
        input_name: Name of the image in the file.
        input_shape: Shape of one image, without the batch.
        input_dtype: Type of the image.
        output_names: Names of the outputs in the file.
        steps: The calls in order; values have the names of the file.
        notes: Sentences for the user on what was rewritten before it was read.
        pixel_range: The numbers that stand for black and white if they are not 0 and 1.
    """

    def __init__(
        self, image: ImageInput, output_names: Sequence[str], steps: Sequence[Step], notes: Sequence[str] = (),
        pixel_range: tuple[float, float] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.input_name = image.name
        self.input_shape = image.shape
        self.input_dtype = image.dtype
        self.output_names = tuple(output_names)
        self.notes = tuple(notes)
        self.pixel_range = pixel_range
        self.steps = _with_releases(steps, keep={image.name, *output_names})

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Map images ``(B, *input_shape)`` to the output, or to a tuple where the file has several."""
        values = {self.input_name: image}
        for _ in self.run_steps(values):
            pass
        outputs = tuple(values[name] for name in self.output_names)
        return outputs[0] if len(outputs) == 1 else outputs

    def run_steps(self, values: dict[str, Tensor]) -> Iterator[Step]:
        """Yield each step once its results are in ``values``, which begin with the image; then release what it may."""
        for step in self.steps:
            result = getattr(self, step.module)(*(values[name] for name in step.inputs))
            values.update(zip(step.outputs, result if isinstance(result, tuple) else (result,), strict=False))
            yield step
            for name in step.released:
                del values[name]


def read_onnx(path: Path, output_name: str | None = None, input_shape: Sequence[int] | None = None) -> OnnxNetwork:
    """Read a classifier from an ONNX file.

    Args:
        path: The ``.onnx`` file; external data is looked for beside it.
        output_name: The one output to read, with what it depends on; None for all of them.
        input_shape: Shape of one image; needed where the file leaves sizes of it open.

    Returns:
        The network, for any batch size, also where the file fixes one.

    Raises:
        InputError: If the file cannot be read or does not map one image to outputs.
        UnsupportedOperatorError: If it holds operators or options that have no counterpart; lists all of them.
    """
    prepared = prepare(path, output_name)
    with damage_told(path):
        return _assemble(prepared, image_of(prepared.model.graph, path, input_shape), path)


def _assemble(prepared: Prepared, image: ImageInput, path: Path) -> OnnxNetwork:
    graph = prepared.model.graph
    reserved = set(dir(OnnxNetwork(image, (), ())))
    assembly = Assembly(prepared.model, image, prepared.opset, prepared.constants, reserved)
    for proto in graph.node:
        assembly.add(proto)
    if assembly.problems:
        raise UnsupportedOperatorError(assembly.problems)
    output_names = [value.name for value in graph.output]
    _check_outputs({name: assembly.values.get(name) for name in output_names}, path)
    network = OnnxNetwork(image, output_names, assembly.steps, prepared.notes, prepared.pixel_range)
    for name, module in assembly.modules.items():
        network.add_module(name, module)
    return network.requires_grad_(False).eval()


def _with_releases(steps: Sequence[Step], keep: set[str]) -> tuple[Step, ...]:
    """Let every value go after its last use, so that a forward pass holds no more than it must."""
    needed, released = set(keep), []
    for step in reversed(steps):
        last = dict.fromkeys(name for name in (*step.outputs, *step.inputs) if name not in needed)
        needed.update(last)
        released.append(Step(step.module, step.inputs, step.outputs, tuple(last)))
    return tuple(released[::-1])


def _check_outputs(outputs: Mapping[str, Value | None], path: Path) -> None:
    for name, value in outputs.items():
        if not isinstance(value, Activation):
            raise InputError(f"{path}: output '{name}' does not depend on the image; remove it from the model")
        if not value.leads_with_batch:
            raise InputError(
                f"{path}: output '{name}' has shape {value.shape_at(1)} for one image, its first dimension is not the "
                "batch; export the model so that every output has one row per image"
            )
