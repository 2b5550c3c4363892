"""A call that does not fit the signature of its operator is never made: kernels trust what they are given."""

from typing import Any

import pytest
import torch

from seenn_convert.ir.operators import AtenOperator

MASK = torch.ones(4, dtype=torch.bool)

Call = tuple[str, tuple[Any, ...], tuple[tuple[str, Any], ...], tuple[torch.Tensor, ...]]

FITTING: list[Call] = [
    ("softmax.int", ("@0", -1), (), ()),
    ("softmax.int", ("@0", -1, None), (), ()),
    ("sum.dim_IntList", ("@0", (1, 2), True), (("dtype", None),), ()),
    ("sum.dim_IntList", ("@0", 1), (), ()),
    ("clamp.default", ("@0", None, 0.5), (), ()),
    ("clamp.default", ("@0", -1), (), ()),
    ("mul.Tensor", ("@0", 2.0), (), ()),
    ("masked_fill.Scalar", ("@0", "#0", float("-inf")), (), (MASK,)),
    ("einsum.default", ("bij,bkj->bik", ("@0", "@0")), (), ()),
    ("gelu.default", ("@0",), (("approximate", "tanh"),), ()),
    ("div.Tensor_mode", ("@0", "#0"), (("rounding_mode", None),), (torch.ones(4),)),
    ("var.correction", ("@0", (1,)), (("correction", 0), ("keepdim", True)), ()),
]


@pytest.mark.parametrize("call", FITTING, ids=lambda call: call[0])
def test_what_fits_is_called(call: Call) -> None:
    assert AtenOperator(*call)(torch.ones(2, 4, 4)).dtype is torch.float32


UNFIT: list[tuple[str, Call]] = [
    ("may hold", ("softmax.int_out", ("@0", -1), (("out", "#0"),), (torch.ones(2),))),
    ("may hold", ("sum.out", ("@0",), (("out", "#0"),), (torch.ones(2),))),
    ("may hold", ("sum.IntList_out", ("@0", 1), (("out", "@0"),), ())),
    ("may hold", ("topk.values", ("@0", 1), (("values", "@0"), ("indices", "@0")), ())),
    ("another kind of 'memory_format'", ("clone.default", ("@0",), (("memory_format", 4),), ())),
    ("another kind of 'dtype'", ("softmax.int", ("@0", -1, 7), (), ())),
    ("another kind of 'dtype'", ("cumsum.default", ("@0", 1), (("dtype", 99),), ())),
    ("another kind of 'out_dtype'", ("bmm.dtype", ("@0", "@0", 6), (), ())),
    ("another kind of 'dim'", ("glu.default", ("@0", 2**62), (), ())),
    ("another kind of 'dim'", ("softmax.int", ("@0", True), (), ())),
    ("another kind of 'dim'", ("softmax.int", ("@0", 1.0), (), ())),
    ("another kind of 'dim'", ("softmax.int", ("@0", "1"), (), ())),
    ("another kind of 'repeats'", ("repeat.default", ("@0", (2, 2**40)), (), ())),
    ("another kind of 'keepdim'", ("amax.default", ("@0", (1,), 1), (), ())),
    ("another kind of 'mask'", ("masked_fill.Scalar", ("@0", "#1", 0.0), (), (MASK,))),
    ("another kind of 'value'", ("masked_fill.Scalar", ("@0", "#0", None), (), (MASK,))),
    ("another kind of 'tensors'", ("einsum.default", ("bi->b", ("@0", "bi->b")), (), ())),
    ("another kind of 'approximate'", ("gelu.default", ("@0",), (("approximate", "exact"),), ())),
    ("another kind of 'dropout_p'", ("scaled_dot_product_attention.default", ("@0", "@0", "@0", None, 0.5), (), ())),
    ("another kind of 'interpolation_mode'", ("grid_sampler.default", ("@0", "@0", 9, 0, False), (), ())),
    ("lacks its argument 'dim'", ("softmax.int", ("@0",), (), ())),
    ("has no argument 'out'", ("silu.default", ("@0",), (("out", "@0"),), ())),
    ("takes 1 arguments, not 2", ("silu.default", ("@0", "@0"), (), ())),
    ("given an argument twice", ("softmax.int", ("@0", 1), (("dim", 1),), ())),
]


@pytest.mark.parametrize(("reason", "call"), UNFIT, ids=lambda value: value if isinstance(value, str) else value[0])
def test_what_does_not_fit_is_refused(reason: str, call: Call) -> None:
    with pytest.raises(ValueError, match=reason):
        AtenOperator(*call)
