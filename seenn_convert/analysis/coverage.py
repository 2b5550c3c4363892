"""How each call site is treated, and how spiking the result is: every one is listed, none is passed over."""

import math
from dataclasses import dataclass

import torch
from torch import fx, nn

from seenn_convert.analysis.spike_sources import is_depthwise, is_weighted, sources
from seenn_convert.analysis.time_invariance import time_invariant_calls
from seenn_convert.ir.editor import shapes_of
from seenn_convert.ir.interpreter import device_of, result_shapes
from seenn_convert.ir.operators import (
    CONVOLUTIONS,
    Analog,
    AtenOperator,
    Graded,
    GradedReLU,
    PerPart,
    Treatment,
    sends_spikes,
    treatment_of,
)
from seenn_convert.ir.operators.aten import PRODUCTS
from seenn_convert.ir.program import Program, plans_from_image

Shape = tuple[int, ...]
SPIKES, GRADED, IMAGE = "spikes", "graded", "image"


@dataclass(frozen=True)
class CallSite:
    """One call of the ANN.

    Attributes:
        name: Node name.
        operator: Class of the module, or the operator it stands for.
        treatment: ``linear``, ``spiking``, ``temporal-difference``, or ``stem`` where it runs once per image.
        source: Where it comes from in the user's model.
        macs: Multiply-accumulates for one image and one pass.
        share: Share of all multiply-accumulates.
        driven_by: What sets off its multiply-accumulates: ``spikes``, sums and averages of them included; ``graded``
            values, behind a temporal difference or another layer with weights; the ``image``, once; empty without any.
    """

    name: str
    operator: str
    treatment: str
    source: str
    macs: int
    share: float
    driven_by: str = ""


def call_sites(ann: Program) -> list[CallSite]:
    """Return every call of a program of stage ANN with its treatment."""
    shapes, still = shapes_of(ann), time_invariant_calls(ann)
    modules: dict[fx.Node, nn.Module] = dict(ann.calls())
    macs = {
        node: macs_of(module, shapes[node.name], *(shapes[source.name] for source in node.all_input_nodes))
        for node, module in modules.items()
    }
    total = max(sum(macs.values()), 1)
    return [
        CallSite(
            name=node.name,
            operator=operator_name(module),
            treatment=_treatment(module, node.name in still),
            source=ann.source_of(node.name),
            macs=macs[node],
            share=macs[node] / total,
            driven_by=_driven_by(node, modules, node.name in still) if macs[node] else "",
        )
        for node, module in modules.items()
    ]


def spiking_share(sites: list[CallSite]) -> float:
    """Return the share of multiply-accumulates that spikes drive, in [0, 1]."""
    return sum(site.share for site in sites if site.driven_by == SPIKES)


def graded_skips(ann: Program) -> dict[str, int]:
    """Return how many activations send graded values along skip connections, and how many values at each timestep."""
    shapes = shapes_of(ann)
    sizes = [math.prod(shapes[node.name]) for node, module in ann.calls() if isinstance(module, GradedReLU)]
    return {"connections": len(sizes), "values": sum(sizes)}


def graded_depthwise(ann: Program) -> tuple[int, float]:
    """Return how many depthwise convolutions read graded values at each timestep, and their share of the work."""
    names = {node.name for node, module in ann.calls() if is_depthwise(module)}
    shares = [site.share for site in call_sites(ann) if site.name in names and site.driven_by == GRADED]
    return len(shares), sum(shares)


def policy_macs(snn: Program) -> int:
    """Return the multiply-accumulates of the policy head for one image, 0 where there is none."""
    if snn.policy_head is None or snn.stem is None:
        return 0
    device = device_of(snn.graph_module)
    image = torch.zeros(2, *snn.input_shape, dtype=snn.input_dtype, device=device)
    with torch.no_grad():
        shapes = result_shapes(snn.policy_head, *((image,) if plans_from_image(snn) else snn.stem(image)))
    return sum(
        macs_of(
            snn.policy_head.get_submodule(str(node.target)),
            shapes[node.name],
            *(shapes[source.name] for source in node.all_input_nodes),
        )
        for node in snn.policy_head.graph.nodes
        if node.op == "call_module"
    )


def macs_of(module: nn.Module, output_shape: Shape, *input_shapes: Shape) -> int:
    """Return the multiply-accumulates of one pass for one image, 0 for operators that have none.

    Args:
        module: What is called.
        output_shape: Of its result, without the batch.
        input_shapes: Of its inputs, without the batch.
    """
    if isinstance(module, PerPart):
        return output_shape[0] * macs_of(module.operator, output_shape[1:], *(shape[1:] for shape in input_shapes))
    if isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d)):
        return math.prod(input_shapes[0]) * module.weight[0].numel()
    if isinstance(module, CONVOLUTIONS):
        return math.prod(output_shape) * module.weight[0].numel()
    if isinstance(module, nn.Linear):
        return math.prod(output_shape) * module.in_features
    if isinstance(module, AtenOperator) and module.name in PRODUCTS:
        return _product_macs(module, output_shape, input_shapes)
    return 0


def fan_out(module: nn.Module, output_shape: Shape, input_shape: Shape) -> float:
    """Return the connections that one value of the input of a layer with weights has on average; as ``macs_of``."""
    return macs_of(module, output_shape, input_shape) / math.prod(input_shape)


def operator_name(module: nn.Module) -> str:
    """Return the name of a module in tables."""
    if isinstance(module, PerPart):
        return f"{operator_name(module.operator)} (of parts)"
    if isinstance(module, Analog):
        return f"{operator_name(module.operator)} (analog)"
    if isinstance(module, Graded):
        return f"{operator_name(module.operator)} (graded)"
    return module.name if isinstance(module, AtenOperator) else type(module).__name__


def _product_macs(module: AtenOperator, output_shape: Shape, input_shapes: tuple[Shape, ...]) -> int:
    if module.name == "scaled_dot_product_attention":
        query, key = input_shapes[0], input_shapes[1 if len(input_shapes) > 1 else 0]
        return (math.prod(query) + math.prod(output_shape)) * key[-2]
    if module.name == "einsum":
        terms = str(module.arguments[0]).replace(" ", "").split("->")[0].split(",")
        sizes = {
            letter: size
            for term, shape in zip(terms, input_shapes, strict=False)
            for letter, size in zip(term[1:], shape, strict=False)
        }
        return math.prod(sizes.values())
    return math.prod(output_shape) * (input_shapes[0][-1] if input_shapes and input_shapes[0] else 1)


def _driven_by(node: fx.Node, modules: dict[fx.Node, nn.Module], still: bool) -> str:
    if still:
        return IMAGE
    if not is_weighted(modules[node]):
        return GRADED
    origins = sources(node.all_input_nodes[0], modules.get)
    return SPIKES if all(sends_spikes(modules.get(origin)) for origin in origins) else GRADED


def _treatment(module: nn.Module, still: bool) -> str:
    treatment = treatment_of(module)
    return "stem" if still and treatment is not Treatment.SPIKING else treatment.value
