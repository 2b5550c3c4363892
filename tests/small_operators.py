"""Operators of every kind, each with the shapes of rows it takes; names of operators that no program may hold."""

import torch
from torch import nn

from seenn_convert.ir.operators import AtenOperator, PerPart

OUTSIDE = [
    "rand_like.default", "relu_.default", "as_strided.default", "add_.Tensor", "silu.out", "bernoulli.default",
    "dropout.default", "native_dropout.default", "set_.source_Tensor", "copy_.default", "from_file.default", "nanmean.default",
    "silu.nothing", "silu", "nothing.default", "__class__.mro", "_dir.default", "", ".",
]  # fmt: skip
"""Writing, random, looking at other memory or files, not known, not operators at all."""

GENERAL: dict[str, tuple[nn.Module, list[tuple[int, ...]]]] = {
    "silu": (AtenOperator("silu.default", ("@0",)), [(3, 4)]),
    "gelu": (AtenOperator("gelu.default", ("@0",), (("approximate", "tanh"),)), [(3, 4)]),
    "sigmoid": (AtenOperator("sigmoid.default", ("@0",)), [(3, 4)]),
    "hardswish": (AtenOperator("hardswish.default", ("@0",)), [(3, 4)]),
    "softmax": (AtenOperator("softmax.int", ("@0", -1)), [(3, 4)]),
    "layer norm": (nn.LayerNorm(4), [(3, 4)]),
    "group norm": (nn.GroupNorm(2, 4), [(4, 3)]),
    "product": (AtenOperator("mul.Tensor", ("@0", "@1")), [(3, 4), (3, 1)]),
    "square": (AtenOperator("mul.Tensor", ("@0", "@0")), [(3, 4)]),
    "matmul": (AtenOperator("matmul.default", ("@0", "@1")), [(2, 3, 4), (2, 4, 3)]),
    "attention": (
        AtenOperator("scaled_dot_product_attention.default", ("@0", "@1", "@2")),
        [(2, 3, 4), (2, 5, 4), (2, 5, 4)],
    ),
    "norm": (AtenOperator("linalg_vector_norm.default", ("@0", 2, (1,))), [(3, 4)]),
    "constant": (AtenOperator("maximum.default", ("@0", "#0"), (), (torch.linspace(-1, 1, 4),)), [(3, 4)]),
    "linear on parts": (PerPart(nn.Conv1d(3, 2, 2)), [(5, 3, 4)]),
    "norm on parts": (PerPart(nn.LayerNorm(4)), [(5, 3, 4)]),
}
"""Neither linear nor homogeneous, but for the convolution: any operator has a mean law."""
