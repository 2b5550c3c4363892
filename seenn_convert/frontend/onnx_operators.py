"""The ONNX operators that can be read, each with the builder of its module."""

import operator
from collections.abc import Callable

import torch
from torch import nn

from seenn_convert.frontend import onnx_operators_layers as layers
from seenn_convert.frontend import onnx_operators_pointwise as pointwise
from seenn_convert.frontend import onnx_operators_pooling as pooling
from seenn_convert.frontend import onnx_operators_shape as shape
from seenn_convert.frontend.onnx_operators_base import Layer, OnnxNode
from seenn_convert.frontend.onnx_operators_resize import resize

Builder = Callable[[OnnxNode], Layer]

BUILDERS: dict[str, Builder] = {
    "Abs": pointwise.function_of(torch.abs),
    "Add": pointwise.binary(operator.add),
    "AveragePool": pooling.average_pool,
    "BatchNormalization": layers.batch_normalization,
    "Cast": pointwise.cast,
    "Clip": pointwise.clip,
    "Concat": shape.concat,
    "Conv": layers.convolution,
    "ConvTranspose": layers.transposed_convolution,
    "Div": pointwise.binary(operator.truediv),
    "Dropout": pointwise.dropout,
    "Elu": pointwise.elu,
    "Erf": pointwise.function_of(torch.erf),
    "Exp": pointwise.function_of(torch.exp),
    "Expand": shape.expand,
    "Flatten": shape.flatten,
    "Gather": shape.gather,
    "Gelu": pointwise.gelu,
    "Gemm": layers.gemm,
    "GlobalAveragePool": pooling.global_average_pool,
    "GlobalMaxPool": pooling.global_max_pool,
    "GroupNormalization": layers.group_normalization,
    "HardSigmoid": pointwise.hard_sigmoid,
    "HardSwish": pointwise.module_of(nn.Hardswish),
    "Identity": pointwise.module_of(nn.Identity),
    "InstanceNormalization": layers.instance_normalization,
    "LRN": layers.local_response_normalization,
    "LayerNormalization": layers.layer_normalization,
    "LeakyRelu": pointwise.leaky_relu,
    "MatMul": layers.matrix_product,
    "MaxPool": pooling.max_pool,
    "Mish": pointwise.module_of(nn.Mish),
    "Mul": pointwise.binary(operator.mul),
    "Neg": pointwise.function_of(torch.neg),
    "PRelu": layers.p_relu,
    "Pad": pooling.pad,
    "Pow": pointwise.binary(operator.pow),
    "Reciprocal": pointwise.function_of(torch.reciprocal),
    "ReduceMean": shape.reduction(torch.mean, axes_are_input_from=18),
    "ReduceSum": shape.reduction(torch.sum, axes_are_input_from=13),
    "Relu": pointwise.module_of(nn.ReLU),
    "Reshape": shape.reshape,
    "Resize": resize,
    "Selu": pointwise.selu,
    "Sigmoid": pointwise.module_of(nn.Sigmoid),
    "Slice": shape.slice_,
    "Softmax": pooling.softmax,
    "Softplus": pointwise.module_of(nn.Softplus),
    "Split": shape.split,
    "Sqrt": pointwise.function_of(torch.sqrt),
    "Squeeze": shape.squeeze,
    "Sub": pointwise.binary(operator.sub),
    "Sum": pointwise.variadic_sum,
    "Swish": pointwise.swish,
    "Tanh": pointwise.module_of(nn.Tanh),
    "Transpose": shape.transpose,
    "Unsqueeze": shape.unsqueeze,
    "Upsample": resize,
}
