"""How each call site is treated, and how spiking the result is: every one is listed, none is passed over."""

from dataclasses import asdict, dataclass

from torch import nn

from seenn_convert.draft import Draft
from seenn_convert.operators import Treatment, treatment_of
from seenn_convert.passes.time_invariance import time_invariant_calls
from seenn_convert.program import Program


@dataclass(frozen=True)
class CallSite:
    """One call of the ANN.

    Attributes:
        name: Node name.
        operator: Class of the module.
        treatment: ``linear``, ``spiking``, ``temporal-difference``, or ``stem`` where it runs once for an image.
        source: Where it comes from in the user's model.
        macs: Multiply-accumulates for one image and one pass.
        share: Share of all multiply-accumulates.
    """

    name: str
    operator: str
    treatment: str
    source: str
    macs: int
    share: float

    def to_json(self) -> dict[str, object]:
        """Return plain data."""
        return asdict(self)


def call_sites(ann: Program) -> list[CallSite]:
    """Return every call of a program of stage ANN with its treatment."""
    shapes, still = Draft(ann).shapes(), time_invariant_calls(ann)
    macs = {node.name: macs_of(module, shapes[node.name]) for node, module in ann.calls()}
    total = max(sum(macs.values()), 1)
    return [
        CallSite(
            name=node.name,
            operator=type(module).__name__,
            treatment=_treatment(module, node.name in still),
            source=ann.source_of(node.name),
            macs=macs[node.name],
            share=macs[node.name] / total,
        )
        for node, module in ann.calls()
    ]


def spiking_share(sites: list[CallSite]) -> float:
    """Return the share of multiply-accumulates that spikes drive, in [0, 1]."""
    return sum(site.share for site in sites if site.treatment == Treatment.LINEAR.value)


def macs_of(module: nn.Module, output_shape: tuple[int, ...]) -> int:
    """Return the multiply-accumulates of one pass for one image, 0 for operators without weights."""
    if isinstance(module, (nn.Conv1d, nn.Conv2d)):
        positions = 1
        for size in output_shape:
            positions *= size
        return positions * module.weight[0].numel()
    if isinstance(module, nn.Linear):
        outputs = 1
        for size in output_shape:
            outputs *= size
        return outputs * module.in_features
    return 0


def _treatment(module: nn.Module, still: bool) -> str:
    treatment = treatment_of(module)
    return "stem" if still and treatment is not Treatment.SPIKING else treatment.value
