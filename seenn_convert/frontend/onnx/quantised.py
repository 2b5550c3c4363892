"""Rewrite the quantised nodes of an ONNX model as nodes over floating-point numbers.

A quantised tensor holds ``q`` for the number ``(q - zero) * scale``; here it holds the number itself. What is left of
a ``QuantizeLinear`` is then that numbers outside its range are cut off::

    x -> QuantizeLinear -> DequantizeLinear -> y        x -> Clip((low - zero) * scale, (high - zero) * scale) -> y

The rounding in between is left out: a spiking network rounds in its own way, to spikes. Weights are taken with their
rounding, for it is in their numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper

from seenn_convert.errors import UnsupportedOperatorError, reason_of
from seenn_convert.frontend.onnx.dequantise import (
    WHOLE,
    Array,
    Form,
    bounds_of_bits,
    dequantised,
    range_of,
    rounded,
)
from seenn_convert.frontend.onnx.folding import attributes_of
from seenn_convert.frontend.onnx.ranges import MOVES, Ranges
from seenn_convert.frontend.onnx.rewriting import Rewriting, given, refusal

_DOMAINS = ("", "ai.onnx", "com.microsoft")
_QUANT_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
_KEEPS_FORM = MOVES | {"GlobalMaxPool", "MaxPool", "Pad", "ReduceMax", "ReduceMin", "Resize", "Upsample"}
_SHAPES = {"Shape", "Size"}


@dataclass(frozen=True)
class _Linear:
    """A quantised operator: its plain form, where its operands, its result's form and its bias are among its inputs."""

    plain: str
    operands: Sequence[int]
    result: int
    bias: int | None = None
    axis: int | None = None


_LINEAR = {
    "QLinearConv": _Linear("Conv", (0, 3), 6, bias=8, axis=0),
    "QLinearMatMul": _Linear("MatMul", (0, 3), 6, axis=-1),
    "QGemm": _Linear("Gemm", (0, 3), 7, bias=6, axis=-1),
    "QLinearAdd": _Linear("Add", (0, 3), 6),
    "QLinearMul": _Linear("Mul", (0, 3), 6),
    "QLinearGlobalAveragePool": _Linear("GlobalAveragePool", (0,), 3),
    "QLinearAveragePool": _Linear("AveragePool", (0,), 3),
    "QLinearLeakyRelu": _Linear("LeakyRelu", (0,), 3),
    "QLinearSigmoid": _Linear("Sigmoid", (0,), 3),
    "QLinearSoftmax": _Linear("Softmax", (0,), 3),
    "QLinearConcat": _Linear("Concat", (), 0),
}
_INTEGER = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}
QUANTISED = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", *_LINEAR, *_INTEGER}


def is_quantised(proto: NodeProto) -> bool:
    """Tell whether a node computes with quantised numbers, in the standard form or in one of onnxruntime or QONNX."""
    if proto.domain in _QUANT_DOMAINS:
        return proto.op_type == "Quant"
    return proto.domain in _DOMAINS and proto.op_type in QUANTISED


def to_float(model: ModelProto, image: str, opset: int) -> tuple[bool, str | None]:
    """Rewrite the quantised nodes of a model whose nodes are in order, in place.

    Returns:
        Whether anything was rewritten, and a sentence for the user on the rounding that was left out, None if there
        was none.

    Raises:
        UnsupportedOperatorError: Lists the nodes that compute with quantised numbers in another way.
    """
    if not any(map(is_quantised, model.graph.node)):
        return False, None
    rewriter = _Rewriter(model, image, opset)
    for proto in model.graph.node:
        try:
            rewriter.add(proto)
        except UnsupportedOperatorError as error:
            rewriter.problems.extend(error.problems)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            rewriter.problems.extend(refusal(proto, f"it does not fit its inputs ({reason_of(error)})").problems)
    if rewriter.problems:
        raise UnsupportedOperatorError(rewriter.problems)
    rewriter.write()
    if not rewriter.limits:
        return rewriter.is_changed, None
    results = "1 result" if rewriter.limits == 1 else f"{rewriter.limits} results"
    return True, (
        f"the file rounds {results} to a few bits on the way to the logits; they were read without that rounding, but "
        "limited to the same ranges, except for the image and the logits"
    )


class _Rewriter(Rewriting):
    """Knows in which form each quantised tensor was in the old graph."""

    def __init__(self, model: ModelProto, image: str, opset: int) -> None:
        super().__init__(model)
        self.opset = opset
        self.computed = {image}
        self.forms: dict[str, Form] = {}
        self.ranges = Ranges(model.graph, image)
        self.problems: list[str] = []
        self.limits = 0
        self.is_changed = False

    def add(self, proto: NodeProto) -> None:
        """Rewrite one node."""
        reads = [i for i, name in enumerate(proto.input) if name in self.computed]
        if not reads:
            self._add_constant(proto)
            return
        if proto.op_type not in _SHAPES:
            self.computed.update(proto.output)
        self.ranges.add(proto)
        if is_quantised(proto):
            self.is_changed = True
            self._add_quantised(proto)
        else:
            self._add_plain(proto, reads)

    def write(self) -> None:
        """Put the new nodes and constants into the model, whose outputs are then numbers."""
        super().write()
        for value in self.model.graph.output:
            if value.name in self.forms:
                value.type.tensor_type.elem_type = TensorProto.FLOAT

    def _add_constant(self, proto: NodeProto) -> None:
        """Keep a node that does not depend on the image, except for one that only other tools can evaluate."""
        if proto.op_type == "Constant" and len(proto.attribute) == 1 and proto.attribute[0].name == "value":
            self.tensors[proto.output[0]] = proto.attribute[0].t
        if proto.domain in _QUANT_DOMAINS and is_quantised(proto):
            weight, scale, zero, bits = (self.constant(proto, i) for i in range(4))
            self.hold(rounded(weight, scale, zero, bits, **attributes_of(proto)), proto.output[0])
            self.is_changed = True
        elif proto.domain == "com.microsoft" and proto.op_type == "DequantizeLinear":
            self.hold(self._dense(proto, 0, attributes_of(proto).get("axis", 1)), proto.output[0])
            self.is_changed = True
        else:
            self.nodes.append(proto)

    def _add_quantised(self, proto: NodeProto) -> None:
        if proto.op_type == "Quant":
            scale, zero, bits = (self.constant(proto, i) for i in (1, 2, 3))
            low, high = bounds_of_bits(scale, zero, bits, **attributes_of(proto))
            self._limit(proto, proto.input[0], low, high)
        elif proto.op_type == "QuantizeLinear":
            self._limit_to_form(proto, proto.input[0], self._form(proto, 1))
        elif proto.op_type == "DequantizeLinear":
            self.emit(proto, "Identity", [self._operand(proto, 0)])
        elif proto.op_type == "DynamicQuantizeLinear":
            self.emit(proto, "Identity", proto.input[:1])
            self.forms[proto.output[0]] = WHOLE
            self.hold(np.float32(1), proto.output[1])
            self.hold(np.uint8(0), proto.output[2])
            self.computed.difference_update(proto.output[1:])
            self.limits += 1
        elif proto.op_type in _INTEGER:
            self._add_integer(proto)
        else:
            self._add_linear(proto, _LINEAR[proto.op_type])

    def _add_linear(self, proto: NodeProto, kind: _Linear) -> None:
        """Write a quantised operator as its plain form, followed by the limits of its result."""
        attributes = attributes_of(proto)
        attributes.pop("opset", None)
        if attributes.pop("channels_last", 0):
            raise refusal(proto, "it takes the channels last")
        axis = 0 if proto.op_type == "QGemm" and attributes.get("transB", 0) else kind.axis
        operands = kind.operands or range(2, len(proto.input), 3)
        inputs = [self._operand(proto, i, axis if i else None) for i in operands]
        if kind.bias is not None and given(proto, kind.bias):
            scale = self.constant(proto, 1) * self.constant(proto, 4) * float(attributes.get("alpha", 1.0))
            inputs.append(self.hold((self.constant(proto, kind.bias) * scale).astype(np.float32)))
        if not given(proto, kind.result):
            self.emit(proto, kind.plain, inputs, **attributes)
            return
        self.emit(proto, kind.plain, inputs, output=f"{proto.output[0]}/unlimited", **attributes)
        self._limit_to_form(proto, f"{proto.output[0]}/unlimited", self._form(proto, kind.result))

    def _add_integer(self, proto: NodeProto) -> None:
        """Write a product of whole numbers as one of floats; the scales that the file applies behind it remain."""
        form = self.forms.get(proto.input[0], WHOLE)
        first = proto.input[0]
        if np.any(form.scale != 1):
            first = f"{proto.output[0]}/in_steps"
            self.append("Div", [proto.input[0], self.hold(np.asarray(form.scale, np.float32))], first)
        weight = self.constant(proto, 1).astype(np.float32)
        if given(proto, 3):
            offset = self.constant(proto, 3).astype(np.float32)
            by_channel = proto.op_type == "ConvInteger" and offset.size > 1
            weight = weight - offset.reshape((-1, *[1] * (weight.ndim - 1)) if by_channel else offset.shape)
        zero = self.constant(proto, 2) if given(proto, 2) else WHOLE.zero
        if not np.array_equal(np.asarray(zero, np.int64).reshape(-1), np.asarray(form.zero, np.int64).reshape(-1)):
            raise refusal(proto, "its first input was quantised with another zero point")
        self.emit(proto, _INTEGER[proto.op_type], [first, self.hold(weight)], **attributes_of(proto))

    def _add_plain(self, proto: NodeProto, reads: Sequence[int]) -> None:
        """Keep another node; if it reads quantised numbers, it must hand them on without computing."""
        forms = [self.forms[proto.input[i]] for i in reads if proto.input[i] in self.forms]
        if not forms or proto.op_type in _SHAPES:
            self.nodes.append(proto)
            return
        is_relu = proto.op_type == "Relu" and not np.any(forms[0].zero)
        if not (proto.op_type in _KEEPS_FORM or is_relu):
            raise refusal(proto, "it computes with quantised numbers")
        joined = len(proto.input) if proto.op_type == "Concat" else len(reads)
        if len(forms) < joined or any(not form.equals(forms[0]) for form in forms[1:]):
            raise refusal(proto, "its inputs are quantised in different ways")
        self.nodes.append(self._padded_with_zero(proto, forms[0]) if proto.op_type == "Pad" else proto)
        self.forms.update(dict.fromkeys(proto.output, forms[0]))

    def _padded_with_zero(self, proto: NodeProto, form: Form) -> NodeProto:
        """Return a padding of quantised numbers that pads with what its value stands for."""
        value = self.constant(proto, 2) if given(proto, 2) else np.zeros((), np.int64)
        number = (value.astype(np.float32) - np.asarray(form.zero, np.float32).reshape(())) * form.scale.reshape(())
        changed = NodeProto()
        changed.CopyFrom(proto)
        inputs = [*proto.input[:2], self.hold(np.float32(number.reshape(()))), *proto.input[3:]]
        del changed.input[:]
        changed.input.extend(inputs)
        return changed

    def _operand(self, proto: NodeProto, position: int, axis: int | None = None) -> str:
        """Return the name of an operand as numbers; scale and zero point are the next two inputs."""
        name: str = proto.input[position]
        if name not in self.computed:
            return self.hold(self._dense(proto, position, axis))
        form = self._form(proto, position + 1)
        before = self.forms.get(name)
        if before is None:  # whole numbers, such as those of the image
            shifted = f"{proto.output[0]}/shifted_{position}"
            self.append("Sub", [name, self.hold(form.zero.astype(np.float32))], shifted)
            self.append("Mul", [shifted, self.hold(form.scale)], f"{shifted}/scaled")
            return f"{shifted}/scaled"
        if not form.equals(before):
            raise refusal(proto, f"its input {position} was quantised with another scale or zero point")
        return name

    def _dense(self, proto: NodeProto, position: int, axis: int | None) -> Array:
        weight, form = self.constant(proto, position), self._form(proto, position + 1, is_weight=True)
        try:
            return dequantised(weight, form.scale, form.zero, axis or 0)
        except ValueError as error:
            raise refusal(proto, str(error)) from error

    def _form(self, proto: NodeProto, position: int, is_weight: bool = False) -> Form:
        scale = np.asarray(self.constant(proto, position), np.float32)
        kind = helper.tensor_dtype_to_np_dtype(attributes_of(proto).get("output_dtype", 0) or TensorProto.UINT8)
        zero = self.constant(proto, position + 1) if given(proto, position + 1) else np.zeros(scale.shape, kind)
        if not is_weight and (scale.size != 1 or np.size(zero) != 1):
            raise refusal(proto, "it quantises a result by channel")
        if not is_weight:
            scale, zero = scale.reshape(()), zero.reshape(())
        return Form(scale, zero)

    def _limit_to_form(self, proto: NodeProto, source: str, form: Form) -> None:
        try:
            low, high = range_of(form)
        except ValueError as error:
            raise refusal(proto, str(error)) from error
        self._limit(proto, source, low, high)
        self.forms[proto.output[0]] = form

    def _limit(self, proto: NodeProto, source: str, low: Array, high: Array) -> None:
        """Cut off what lies outside ``low`` to ``high``."""
        self.limits += 1
        if self.ranges.is_idle(source, proto.output[0], low, high):
            self.emit(proto, "Identity", [source])
        elif low.size > 1 or high.size > 1:
            above = f"{proto.output[0]}/above"
            self.append("Max", [source, self.hold(low)], above)
            self.emit(proto, "Min", [above, self.hold(high)])
        elif low < 0:  # one bound after the other: what is not bounded from 0 on is no activation function
            above = f"{proto.output[0]}/above"
            self._clip(proto, source, float(low.reshape(())), None, above)
            self._clip(proto, above, None, float(high.reshape(())))
        else:
            self._clip(proto, source, float(low.reshape(())), float(high.reshape(())))

    def _clip(self, proto: NodeProto, source: str, low: float | None, high: float | None, output: str = "") -> None:
        """Add a Clip, whose bounds are attributes before opset 11."""
        bounds = {"min": low, "max": high}
        if self.opset < 11:
            self.emit(proto, "Clip", [source], output, **{key: one for key, one in bounds.items() if one is not None})
            return
        held = ["" if one is None else self.hold(np.float32(one)) for one in bounds.values()]
        self.emit(proto, "Clip", [source, *held], output)
