"""Check that programs read from files fit together, by running them on shapes alone."""

import torch

from seenn_convert.ir.program import Program, plans_from_image
from seenn_convert.ir.state import initial_state

ROWS = 2


def check_runs(ann: Program, snn: Program, timesteps: int | None = None) -> None:
    """Run the ANN, the stem, one timestep and the policy head, if there is one, on the meta device.

    There tensors have shapes and no numbers.

    Args:
        ann: With its tensors on the meta device.
        snn: With its stem, likewise.
        timesteps: As many as a policy head can choose from; not checked where None.

    Raises:
        ValueError: A result or a state has another shape or name than the program says.
        Exception: Whatever else running a malformed graph raises.
    """
    assert snn.stem is not None
    inputs = [node.name for node in snn.graph_module.graph.nodes if node.op == "placeholder"]
    states = [spec.name for spec in snn.states]
    if inputs[len(inputs) - len(states) :] != states or not {"readout", "clock"} <= set(states):
        raise ValueError(f"the step takes {inputs}, which does not end with its states {states}")
    image = torch.empty(ROWS, *snn.input_shape, dtype=snn.input_dtype, device="meta")
    state = initial_state(snn, ROWS)
    drives = snn.stem(image)
    logits, score, *following = snn.graph_module(*drives, *state.values())
    _check_shape("score", score, (ROWS,))
    _check_shape("logits", logits, tuple(ann(image).shape))
    _check_shape("logits", logits, tuple(state["readout"].shape))
    if snn.policy_head is not None:
        plan = snn.policy_head(*((image,) if plans_from_image(snn) else drives))
        _check_shape("plan", plan, (ROWS, timesteps or plan.shape[-1]))
    for (name, old), new in zip(state.items(), following, strict=True):
        _check_shape(name, new, tuple(old.shape))


def _check_shape(name: str, value: torch.Tensor, expected: tuple[int, ...]) -> None:
    if tuple(value.shape) != expected:
        raise ValueError(f"{name} has shape {tuple(value.shape)} where {expected} is expected")
