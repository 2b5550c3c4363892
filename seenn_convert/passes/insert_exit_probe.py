"""Let every timestep return the mean logits and the score that decides whether a sample may leave."""

from torch import Tensor

from seenn_convert.errors import PreconditionError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators.step import ExitProbe
from seenn_convert.ir.program import Program, Stage
from seenn_convert.ir.scores import ExitScore
from seenn_convert.passes.base import Pass


class InsertExitProbe(Pass):
    """Put a probe behind the readout, with its running sum, what its score remembers, and a clock for each row.

    Before: ``... -> current``     After: ``(current, readout, clock) -> probe -> (logits, score, readout)``

    Args:
        score: Decides about leaving.
        temperatures: ``(T,)``, softmax temperature at each timestep.
        classes: Number of classes K.
    """

    accepts = yields = Stage.SNN

    def __init__(self, score: ExitScore, temperatures: Tensor, classes: int) -> None:
        self.score, self.temperatures, self.classes = score, temperatures, classes

    def requires(self, program: Program) -> None:
        """The program returns its readout current and no probe stands there yet."""
        if program.results != ("current",):
            raise PreconditionError("the program has an exit probe already")

    def rewrite(self, draft: Draft) -> None:
        """Add the probe, its state, and its two results."""
        current = draft.outputs[0]
        probe, shapes = ExitProbe(self.score, self.temperatures), {"readout": (self.classes,)}
        clock, states = draft.clock(), [draft.add_state(name, shapes.get(name, ())) for name in probe.state_names]
        readout, *remembered = states
        call = draft.insert_after(
            draft.graph.output_node().prev, "exit_probe", probe, [current, readout, clock, *remembered]
        )
        results = ["logits", "score", *(f"{name}_next" for name in probe.state_names)]
        logits, score, *following = draft.insert_items(call, results)
        draft.results = ("logits", "score")
        draft.set_outputs([logits, score, *draft.outputs[1:]])
        for state, value in zip(states, following, strict=True):
            draft.set_next(state, value)
