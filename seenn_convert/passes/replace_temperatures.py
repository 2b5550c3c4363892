"""Let the exit probe scale the logits by other temperatures."""

from torch import Tensor

from seenn_convert.errors import PreconditionError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators.step import ExitProbe
from seenn_convert.ir.program import Program, Stage
from seenn_convert.passes.base import Pass


class ReplaceTemperatures(Pass):
    """Give the exit probe other temperatures; logits, score and state stay what they are.

    Before: ``probe(temperatures)``     After: ``probe(other temperatures)``

    Args:
        temperatures: ``(T,)``, softmax temperature at each timestep.
    """

    accepts = yields = Stage.SNN

    def __init__(self, temperatures: Tensor) -> None:
        self.temperatures = temperatures

    def requires(self, program: Program) -> None:
        """There is an exit probe."""
        if "score" not in program.results:
            raise PreconditionError("the program has no exit probe yet, whose temperatures could be replaced")

    def rewrite(self, draft: Draft) -> None:
        """Replace the probe by one with the same score."""
        for node, probe in draft.modules_of(ExitProbe):
            assert isinstance(probe, ExitProbe)
            draft.replace_module(node, ExitProbe(probe.score, self.temperatures.to(probe.temperatures)))
