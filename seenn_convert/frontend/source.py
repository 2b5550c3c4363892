"""A model as it was read, and the check that the program computes what the original computes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from seenn_convert.errors import NOT_FINITE, InputError, PostconditionError, reason_of
from seenn_convert.finite import first_not_finite
from seenn_convert.frontend.classifier import AS_IT_IS, Reading
from seenn_convert.frontend.rounding import differs_by_jumps, rounds
from seenn_convert.frontend.torch.one_image import no_function
from seenn_convert.ir.interpreter import relative_error
from seenn_convert.ir.program import Program

TORCH_TOLERANCE = 1e-5
NOT_WHOLE = (
    "the file takes whole numbers and the images hold others, as resizing makes them: the network computes with these "
    "as they are, and the file itself with the nearest whole ones"
)


@dataclass(frozen=True)
class Source:
    """A model as it was read.

    Attributes:
        program: What will be converted, at stage ANN.
        name: File name, factory or class.
        format: ``"onnx"``, ``"pt2"`` or ``"module"``.
        path: The file that holds its weights, if there is one.
        reference: The original: maps images ``(B, *input_shape)`` to what it returns for them; None for ONNX, which
            onnxruntime runs.
        output_name: Output that holds the logits; None if the model has only one.
        notes: Sentences for the user on how it was read where that was not plain.
        pixel_range: The numbers that stand for black and white if the model's own input type says that they are not
            0 and 1.
        reading: How the program's logits follow from what the original returns.
        single: The model of single frames, if this is one of recordings, of which the program takes the mean frame.
    """

    program: Program
    name: str
    format: str
    path: Path | None = None
    reference: Callable[[Tensor], Tensor] | None = None
    output_name: str | None = None
    notes: tuple[str, ...] = ()
    pixel_range: tuple[float, float] | None = None
    reading: Reading = AS_IT_IS
    single: "Source | None" = None

    def check(self, images: Tensor) -> float:
        """Return the relative error of the program against the original on ``images`` ``(B, *input_shape)``.

        Raises:
            InputError: The original itself returns NaN or infinity for these images.
            PostconditionError: The error is above 1e-5 and not due to the jumps of a network that rounds, or that of
                float32 against onnxruntime, which names the node.
        """
        if self.single is not None:
            return self.single.check(images.mean(dim=1))
        if self.format == "onnx" and self.path is not None:
            return self._check_onnx(self.path, images)
        if self.reference is None:
            return 0.0
        images = images.to(self.program.input_dtype)
        if self.pixel_range is not None:
            images = images.round().clamp(*self.pixel_range)  # the original takes no others
        with torch.no_grad():
            expected = self._run_reference(self.reference, images)
            found = self._as_original(images)
            error = relative_error(found, expected)
        if not error <= TORCH_TOLERANCE and not (
            rounds(self.program) and differs_by_jumps(found, expected, self.reference, images, TORCH_TOLERANCE)
        ):
            reason = no_function(self.reference, images, TORCH_TOLERANCE)
            if reason is not None:
                raise InputError(f"{self.name}: {reason}")
            raise PostconditionError(
                f"{self.name}: the program read from it differs by {error:.2g} relative; report the model"
            )
        return error

    def with_notes(self, notes: Sequence[str]) -> "Source":
        """Return the source with more sentences for the user."""
        return replace(self, notes=(*self.notes, *notes))

    def noted(self, images: Tensor) -> "Source":
        """Return the source with a note if it takes whole numbers and these images hold others."""
        if self.pixel_range is None or torch.equal(images.round(), images.round(decimals=3)):
            return self
        return self.with_notes([NOT_WHOLE])

    def _as_original(self, images: Tensor) -> Tensor:
        """Return what the original returns for ``images``, as the program computes it."""
        return self.reading.original(self.program(images))

    def _run_reference(self, reference: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        try:
            expected = reference(images.clone())  # it may write to its input
        except Exception as error:  # the user's code may raise anything
            raise InputError(
                f"{self.name}: it fails on a batch of {len(images)} images ({reason_of(error)}); check that it takes "
                "batches of any size"
            ) from error
        row = first_not_finite(expected)
        if row is not None:
            raise InputError(f"{self.name}: {NOT_FINITE} (first at image {row})")
        return expected

    def _check_onnx(self, path: Path, images: Tensor) -> float:
        """Compare the program with onnxruntime; if they differ, the network as it was read, which names the node."""
        from seenn_convert.frontend.onnx.parity import check_against_onnxruntime
        from seenn_convert.frontend.onnx.reader import read_onnx

        images = images.to(self.program.input_dtype)
        try:
            return check_against_onnxruntime(path, self._as_original, images, output_name=self.output_name)
        except PostconditionError:
            network = read_onnx(path, self.output_name, self.program.input_shape)
            check_against_onnxruntime(path, network, images, output_name=self.output_name)
            raise
