"""Whether spikes drive as much of a network as is required."""

from seenn_convert.analysis.coverage import call_sites, spiking_share
from seenn_convert.analysis.front import front_names
from seenn_convert.choices import Encode
from seenn_convert.errors import InputError
from seenn_convert.ir.operators import SPIKING_OPERATORS
from seenn_convert.ir.program import Program
from seenn_convert.measure.spiking_warnings import depthwise_is_graded


def check_spiking(ann: Program, encode: Encode, least: float) -> None:
    """Raise InputError if nothing would spike, or spikes would drive less than the share required."""
    if not any(isinstance(module, SPIKING_OPERATORS) for _, module in ann.calls()):
        raise InputError(
            "the model has no ReLU, ReLU6, LeakyReLU or PReLU, so nothing in it would spike; "
            + ("let graded values become spikes with --encode auto" if encode == "never" else "give a model with some")
        )
    share = spiking_share(call_sites(ann))
    if share < least:
        raise InputError(
            f"spikes would drive {share:.1%} of the multiply-accumulates, {least:.1%} are required; see which call "
            "sites are graded with `seenn-convert inspect`, or let graded values become spikes with --encode always"
            + (" and --depthwise spiking" if depthwise_is_graded(ann) else "")
            + (", or give up the analog front with --front none" if front_names(ann) else "")
        )


def check_converted(ann: Program, least: float) -> None:
    """Raise InputError if a network that stays as it is has a smaller share than required."""
    share = spiking_share(call_sites(ann))
    if share < least:
        raise InputError(
            f"spikes drive {share:.1%} of the multiply-accumulates of this network, {least:.1%} are required, and "
            f"exits do not change that; convert the model again with --require-spiking {least:g} (require_spiking)"
        )
