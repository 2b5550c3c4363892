"""What each ATen call becomes: one small function per family of operators, and the table that finds it."""

from seenn_convert.frontend.torch.aten import activations, arithmetic, attention, layers, pooling, shapes
from seenn_convert.frontend.torch.aten.functional import elementwise, is_on_elements
from seenn_convert.frontend.torch.aten.other_types import of_other_type
from seenn_convert.frontend.torch.aten.registry import AWARE, HANDLERS, TRAINING, Operator, Result, operator_of

__all__ = [
    "AWARE", "HANDLERS", "TRAINING", "Operator", "Result", "activations", "arithmetic", "attention", "elementwise",
    "is_on_elements", "layers", "of_other_type", "operator_of", "pooling", "shapes",
]  # fmt: skip
