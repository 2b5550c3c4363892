"""Products of activations with the accumulations of a matrix product."""

from dataclasses import replace

from seenn_convert.frontend.torch.aten.functional import as_it_stands
from seenn_convert.frontend.torch.aten.layers import linear_of
from seenn_convert.frontend.torch.aten.registry import Result, handles
from seenn_convert.frontend.torch.call import Call, Refusal, rank_of
from seenn_convert.ir.operators import AtenOperator


@handles("matmul", "bmm", any_layout=True)
def matmul(call: Call) -> Result:
    """Matrix product: of an activation and a constant matrix a linear layer, of two activations as it stands."""
    second = "other" if "other" in call.arguments else "mat2"
    if not call.is_activation(second):
        matrix = call.weight(second)
        rank = rank_of(call.tensor("self"))
        while matrix.dim() > 2 and matrix.shape[0] == 1:
            matrix = matrix[0]
        if matrix.dim() == 2 and rank >= 2 and call.layout(call.tensor("self")).axis < rank - 1:
            return linear_of(call, "self", matrix)
    activations = [call.tensor(name) for name in ("self", second) if call.is_activation(name)]
    for source in activations:
        if rank_of(source) != rank_of(call.node) or call.layout(source).axis >= rank_of(source) - 2:
            raise Refusal("it multiplies along the batch axis, so rows would depend on each other")
    product = as_it_stands(call)
    assert isinstance(product.module, AtenOperator)
    if product.module.name == "matmul":
        return product
    factors, constants = product.module.arguments, list(product.module.buffers())
    return replace(product, module=AtenOperator("matmul.default", factors, (), constants))  # of any rank, unlike bmm


@handles("scaled_dot_product_attention", any_layout=True)
def attention(call: Call) -> Result:
    """Attention of activations; a mask is a constant."""
    if call.number("dropout_p"):
        raise Refusal("it drops attention at random; call model.eval() before the model is exported")
    for name in ("query", "key", "value"):
        source = call.tensor(name)
        if call.layout(source).axis >= rank_of(source) - 2:
            raise Refusal("it attends along the batch axis, so rows would depend on each other")
    return as_it_stands(call)


@handles("einsum")
def einsum(call: Call) -> Result:
    """Products in Einstein's notation whose operands and result begin with the batch."""
    equation = str(call.value("equation")).replace(" ", "")
    operands = call.value("tensors")
    assert isinstance(operands, (list, tuple))
    left, _, right = equation.partition("->")
    terms = left.split(",")
    batch = {term[0] for term, node in zip(terms, operands, strict=True) if node not in call.constants}
    fixed = [term for term, node in zip(terms, operands, strict=True) if node in call.constants]
    if len(batch) != 1 or "..." in left or not right or right[0] not in batch:
        raise Refusal("its operands and its result do not all begin with the batch; write it as a matmul")
    letter = next(iter(batch))
    if any(letter in term for term in fixed):
        raise Refusal("its constant differs between the rows of the batch")
    return as_it_stands(call, tensors=[call.constants.get(node, node) for node in operands])
