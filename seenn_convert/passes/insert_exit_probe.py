"""Let every timestep return the mean logits and the score that decides whether a sample may leave."""

from torch import Tensor

from seenn_convert.draft import Draft
from seenn_convert.errors import PreconditionError
from seenn_convert.passes.base import Pass
from seenn_convert.program import Program, Stage
from seenn_convert.scores import ScoreName
from seenn_convert.spiking import ExitProbe


class InsertExitProbe(Pass):
    """Put a probe behind the readout, with its running sum and a clock for each row.

    Before: ``... -> current``     After: ``(current, readout, clock) -> probe -> (logits, score, readout)``

    Args:
        score_name: ``"confidence"`` or ``"entropy"``.
        temperatures: ``(T,)``, softmax temperature at each timestep.
        classes: Number of classes K.
    """

    accepts = yields = Stage.SNN

    def __init__(self, score_name: ScoreName, temperatures: Tensor, classes: int) -> None:
        self.score_name, self.temperatures, self.classes = score_name, temperatures, classes

    def requires(self, program: Program) -> None:
        """The program returns its readout current and no probe stands there yet."""
        if program.results != ("current",):
            raise PreconditionError("the program has an exit probe already")

    def rewrite(self, draft: Draft) -> None:
        """Add the probe, its state, and its two results."""
        current = draft.outputs[0]
        clock, readout = draft.clock(), draft.add_state("readout", (self.classes,))
        probe = draft.insert_after(
            draft.graph.output_node().prev,
            "exit_probe",
            ExitProbe(self.score_name, self.temperatures),
            [current, readout, clock],
        )
        logits, score, readout_next = draft.insert_items(probe, ["logits", "score", "readout_next"])
        draft.results = ("logits", "score")
        draft.set_outputs([logits, score, *draft.outputs[1:]])
        draft.set_next(readout, readout_next)
