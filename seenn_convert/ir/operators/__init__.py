"""The operators a program may hold beside PyTorch's own layers, and how each is treated in spikes.

Every node of a program calls a module. Linear operators act on each timestep's current as it stands, ReLU-family
activations become neurons, everything else becomes a temporal difference. In a network that was trained as a spiking
one, everything acts on the values of each timestep.
"""

from seenn_convert.ir.operators.adopted import EachStep, FirstSpikes, FirstState, HeldState, KeepState, Latest
from seenn_convert.ir.operators.aten import AtenOperator
from seenn_convert.ir.operators.basic import (
    Add,
    Affine,
    Analog,
    ClippedReLU,
    Concatenate,
    ConstantRow,
    Encode,
    Expand,
    Graded,
    GradedReLU,
    Mean,
    Operator,
    Pad,
    PaddedLinear,
    PaddedMaxPool,
    Permute,
    PerPart,
    QuantisedReLU,
    Reshape,
    RowConvolution,
    Slice,
    Subtract,
)
from seenn_convert.ir.operators.custom import CustomOperator
from seenn_convert.ir.operators.elementwise import Cast, Elementwise, works_on_elements
from seenn_convert.ir.operators.treatment import (
    CONVOLUTIONS,
    HOMOGENEOUS_OPERATORS,
    LINEAR_OPERATORS,
    RELU_FAMILY,
    SPIKING_OPERATORS,
    Treatment,
    clip_of,
    is_homogeneous,
    passes_spikes,
    treatment_of,
)

__all__ = [
    "CONVOLUTIONS",
    "HOMOGENEOUS_OPERATORS",
    "LINEAR_OPERATORS",
    "RELU_FAMILY",
    "SPIKING_OPERATORS",
    "Add",
    "Affine",
    "Analog",
    "AtenOperator",
    "Cast",
    "ClippedReLU",
    "Concatenate",
    "ConstantRow",
    "CustomOperator",
    "EachStep",
    "Elementwise",
    "Encode",
    "Expand",
    "FirstSpikes",
    "FirstState",
    "Graded",
    "GradedReLU",
    "HeldState",
    "KeepState",
    "Latest",
    "Mean",
    "Operator",
    "Pad",
    "PaddedLinear",
    "PaddedMaxPool",
    "PerPart",
    "Permute",
    "QuantisedReLU",
    "Reshape",
    "RowConvolution",
    "Slice",
    "Subtract",
    "Treatment",
    "clip_of",
    "is_homogeneous",
    "passes_spikes",
    "treatment_of",
    "works_on_elements",
]
