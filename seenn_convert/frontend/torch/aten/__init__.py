"""What each ATen call becomes: one small function per family of operators, and the table that finds it."""

from seenn_convert.frontend.torch.aten import activations, arithmetic, attention, layers, pooling, shapes
from seenn_convert.frontend.torch.aten.functional import elementwise
from seenn_convert.frontend.torch.aten.registry import AWARE, HANDLERS, TRAINING, Operator, Result

__all__ = [
    "AWARE", "HANDLERS", "TRAINING", "Operator", "Result", "activations", "arithmetic", "attention", "elementwise",
    "layers", "pooling", "shapes",
]  # fmt: skip
