"""Operators that jump at zero: what is zero in the ANN has no direction there, and every spike gives it one."""

from torch import fx, nn

from seenn_convert.analysis.time_invariance import time_invariant_calls
from seenn_convert.ir.operators import AtenOperator, PerPart
from seenn_convert.ir.program import Program

JUMPING = ("cosine_similarity", "sign", "sgn", "heaviside")
NORM, QUOTIENTS = "linalg_vector_norm", ("div", "true_divide")


def jumps_at_zero(ann: Program) -> list[str]:
    """Return the calls behind neurons whose result jumps where their input is zero: cosines, signs, ``x / norm(x)``."""
    modules, still = dict(ann.calls()), time_invariant_calls(ann)
    return [node.name for node in modules if node.name not in still and _jumps(node, modules)]


def _jumps(node: fx.Node, modules: dict[fx.Node, nn.Module]) -> bool:
    name = _operator(modules[node])
    if name in QUOTIENTS and len(node.all_input_nodes) == 2:
        return _is_length(node.all_input_nodes[1], modules)
    return name in JUMPING


def _is_length(node: fx.Node, modules: dict[fx.Node, nn.Module]) -> bool:
    """Return whether ``node`` is the length of a vector, seen through clamps, sums with a constant and shapes."""
    while node in modules and _operator(modules[node]) != NORM and len(node.all_input_nodes) == 1:
        node = node.all_input_nodes[0]
    return node in modules and _operator(modules[node]) == NORM


def _operator(module: nn.Module) -> str:
    inner = module.operator if isinstance(module, PerPart) else module
    return inner.name if isinstance(inner, AtenOperator) else ""
