"""The passes in order, each with the reason for its place."""

from collections.abc import Collection, Mapping

from torch import Tensor

from seenn_convert.analysis.coverage import call_sites, spiking_share
from seenn_convert.analysis.frames import frames_of
from seenn_convert.choices import Depthwise, Encode, Readout, Skips
from seenn_convert.ir.editor import shapes_of
from seenn_convert.ir.operators import SPIKING_OPERATORS
from seenn_convert.ir.program import Program
from seenn_convert.ir.scores import ExitScore
from seenn_convert.neurons.types import NeuronType, Signed, can_encode
from seenn_convert.passes.act_each_step import ActEachStep
from seenn_convert.passes.align_linear import AlignLinear
from seenn_convert.passes.base import Pass
from seenn_convert.passes.canonicalize import Canonicalize
from seenn_convert.passes.carry_depthwise import CarryDepthwise
from seenn_convert.passes.carry_skips import CarrySkips
from seenn_convert.passes.drop_doubled_relu import DropDoubledReLU
from seenn_convert.passes.drop_no_ops import DropNoOps
from seenn_convert.passes.fold_affine import FoldAffine
from seenn_convert.passes.fold_batch_norm import FoldBatchNorm
from seenn_convert.passes.fuse_padded_max_pool import FusePaddedMaxPool
from seenn_convert.passes.grade_gates import GradeGates
from seenn_convert.passes.group_neurons import GroupNeurons
from seenn_convert.passes.hoist_stem import HoistStem
from seenn_convert.passes.insert_encoders import InsertEncoders
from seenn_convert.passes.insert_exit_probe import InsertExitProbe
from seenn_convert.passes.insert_neurons import InsertNeurons
from seenn_convert.passes.join_clips import JoinClips
from seenn_convert.passes.lower_temporal_difference import LowerTemporalDifference
from seenn_convert.passes.order_channels_last import OrderChannelsLast
from seenn_convert.passes.pool_before_relu import PoolBeforeReLU
from seenn_convert.passes.read_frames import ReadFrames
from seenn_convert.passes.recognize_activations import RecognizeActivations
from seenn_convert.passes.run_in_time import RunInTime
from seenn_convert.passes.split_leaky_relu import SplitLeakyReLU

ANN_PASSES: tuple[Pass, ...] = (
    JoinClips(),  # before affines are joined: a clamp may be a rectifier between two of them
    Canonicalize(),  # early: every later pass may assume one call a module
    DropNoOps(),  # before folding: dropout may stand between a convolution and its batch norm
    FoldBatchNorm(),  # before thresholds are measured: they belong to the folded activations
    RecognizeActivations(),  # before pooling moves and activations are split: it finds some more
    FusePaddedMaxPool(),  # before pooling moves: it moves with its padding
    PoolBeforeReLU(),  # before activations are split: a split one is not monotone in one call
    DropDoubledReLU(),  # behind pooling, which may have stood between the two
    FoldAffine(),  # behind pooling, which then stands no longer between an affine and the layer that reads it
    SplitLeakyReLU(),  # behind all that takes a leaky activation as one
    GradeGates(),  # behind all that makes or moves activations
    OrderChannelsLast(),  # last: the weights are final
)


ADOPTED_PASSES: tuple[Pass, ...] = (
    GroupNeurons(),  # first: the arithmetic of a user's neurons stays as it is, to the bit
    Canonicalize(),  # as above
    DropNoOps(),
    FoldBatchNorm(),
    OrderChannelsLast(),
    AlignLinear(),
    ActEachStep(),  # last: what is wrapped is not matched any more
)
"""The passes of stage ANN for a network that was trained as a spiking one: none that moves or splits activations."""


def timed_passes(readout: Readout) -> tuple[Pass, ...]:
    """Return the passes from the first timestep of a network that was trained as a spiking one to its step."""
    return (RunInTime(readout), ReadFrames(), HoistStem())


ENOUGH_SPIKES, ENOUGH_UNIT_SPIKES = 1 / 2, 1 / 3
"""Share of the multiply-accumulates driven by spikes from which on ``--encode auto`` leaves a network as it is: with
spikes of several sizes, and of one size, which take many more timesteps to carry a graded value."""


def encoding_passes(ann: Program, encode: Encode, neuron_type: NeuronType = Signed()) -> tuple[Pass, ...]:
    """Return the passes that decide where graded values become spikes, after all others of stage ANN.

    ``"auto"`` encodes a network in which spikes would drive less than half of the multiply-accumulates, or less than a
    third if all spikes have one size, if that lets them drive more. Neurons that cannot send values below 0 leave it as
    it is, unless nothing at all would spike.
    """
    if encode != "auto":
        return (InsertEncoders(),) if encode == "always" else ()
    if not any(isinstance(module, SPIKING_OPERATORS) for _, module in ann.calls()):
        return (InsertEncoders(),)
    share = spiking_share(call_sites(ann))
    enough = ENOUGH_SPIKES if neuron_type.resolution > 1 else ENOUGH_UNIT_SPIKES
    if share >= enough or not can_encode(neuron_type):
        return ()
    return (InsertEncoders(),) if spiking_share(call_sites(InsertEncoders()(ann))) > share else ()


def last_passes(skips: Skips, depthwise: Depthwise = "graded") -> tuple[Pass, ...]:
    """Return the very last passes of stage ANN; no depthwise convolution reads graded activations before them."""
    return (
        CarrySkips(graded=skips == "graded"),  # behind encoders: they decide what is a spike
        *((CarryDepthwise(),) if depthwise == "graded" else ()),  # behind skips, which then read copies of their own
        AlignLinear(),  # the weights are final
    )


def spiking_passes(
    ann: Program, v_thresholds: Mapping[str, Tensor], neuron_type: NeuronType, varying: Collection[str] = ()
) -> tuple[Pass, ...]:
    """Return the passes from the ANN to the step: neurons, then what depends on them, then the cut.

    Args:
        ann: After the passes of stage ANN.
        v_thresholds: Activation -> threshold.
        neuron_type: Makes the neurons.
        varying: Names of the inputs that differ between timesteps: ``(IMAGE,)`` for a video, nothing for a still image.
    """
    return (
        InsertNeurons(v_thresholds, neuron_type),  # first: it decides what varies in time
        *((ReadFrames(),) if frames_of(ann) else ()),  # and so does this
        LowerTemporalDifference(shapes_of(ann), varying),  # only where the input varies in time
        HoistStem(varying),  # after lowering: what stays the same then is all the stem
    )


def probe_pass(ann: Program, score: ExitScore, temperatures: Tensor) -> Pass:
    """Return the pass that adds the exit probe: last, once its temperatures are known."""
    classes = shapes_of(ann)["output"][0]
    return InsertExitProbe(score, temperatures, classes)
