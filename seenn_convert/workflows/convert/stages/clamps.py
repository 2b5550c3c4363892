"""Decide by the calibration data which clamps are activation functions and which only guard."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from seenn_convert.analysis.memory import images_together
from seenn_convert.calibration.observe import check_images
from seenn_convert.data.samples import Samples
from seenn_convert.exits.tune import split_calibration
from seenn_convert.frontend.source import Source
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.interpreter import Inputs, Interpreter
from seenn_convert.ir.program import Program
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.clamps import moved_clips
from seenn_convert.passes.join_clips import JoinClips
from seenn_convert.passes.release_clamps import ReleaseClamps
from seenn_convert.progress import Counter, Progress
from seenn_convert.workflows.convert.options import Options


def settle_clamps(source: Source, data: Samples, options: Options, images: Tensor, progress: Progress) -> Source:
    """Return the model with clamps released that no activation of the fitting part comes near, and a note on each.

    The ``images`` are those on which rewritings are checked.
    """
    if not any(moved_clips(Draft(source.program))):
        return source
    program = run_passes(source.program, [JoinClips()], images)
    ranges = _ranges(program, data, options, progress)
    program = run_passes(program, [ReleaseClamps(ranges)], images)
    notes = [
        f"{name}: the calibration activations stay far above the lower bound of this clamp, so it is kept exactly, "
        "as a temporal difference, and no neurons stand for it"
        for name in program.history[-1].changed
        if name in {node.name for node, _ in program.calls()}
    ]
    return replace(source, program=program, notes=(*source.notes, *notes))


def _ranges(program: Program, data: Samples, options: Options, progress: Progress) -> dict[str, tuple[float, float]]:
    """Return the last call of each clamp -> the smallest and the largest activation that enters it."""
    clips = {clip.calls[0].name: clip.calls[-1].name for clip in moved_clips(Draft(program))}
    found: dict[str, tuple[float, float]] = {}
    if not clips:
        return found

    def call(node: fx.Node, module: nn.Module, inputs: Inputs) -> Any:
        if node.name in clips:
            least, most = found.get(clips[node.name], (float("inf"), -float("inf")))
            found[clips[node.name]] = min(least, float(inputs[0].min())), max(most, float(inputs[0].max()))
        return module(*inputs)

    fitting = split_calibration(len(data), options.seed).fitting
    counter = Counter(progress, "looking at clamps", len(fitting))
    interpreter = Interpreter(program.graph_module, call)
    with torch.no_grad():
        for image, _ in data.batches(images_together(program, options.batch_size), fitting):
            check_images(image, program.input_shape, fitting[counter.done : counter.done + len(image)])
            interpreter.run(image.to(program.input_dtype))
            counter.add(len(image))
    return found
