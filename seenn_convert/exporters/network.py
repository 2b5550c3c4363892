"""An export as a network that runs with early exit, in whatever runtime its target has."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seenn_convert.exporters.document import Document
from seenn_convert.runtime.engine import Drives, State
from seenn_convert.runtime.policies import ExitPolicy, policy_from_json

Graph = Callable[[Sequence[Tensor]], tuple[Tensor, ...]]
"""Runs a graph: its inputs in order, its results in order."""


@dataclass(frozen=True)
class ExportedNetwork:
    """What ``run_early_exit`` needs, computed by an export; it runs on the CPU in single precision.

    Attributes:
        document: What ``seenn.json`` says.
        starts: Where each state starts; it broadcasts to a row.
        stem: Image -> drives.
        step_graph: Drives and state -> logits, score, next state.
        policy_head: Image or drives -> plan logits; None without one.
    """

    document: Document
    starts: dict[str, Tensor]
    stem: Graph
    step_graph: Graph
    policy_head: Graph | None = None

    @property
    def timesteps(self) -> int:
        """The longest run T."""
        return self.document.timesteps

    @property
    def policy(self) -> ExitPolicy:
        """Who leaves when."""
        return policy_from_json(self.document.policy)

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """Single precision."""
        return torch.float32

    def drive(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the drives of a batch of preprocessed images."""
        return self.stem((image,))

    def plan(self, image: Tensor, drives: Iterable[Tensor]) -> Tensor:
        """Return the plan logits ``(B, T)``."""
        assert self.policy_head is not None
        return self.policy_head((image,) if self.document.plan_inputs == "image" else tuple(drives))[0]

    def step(self, drives: Drives, state: State) -> tuple[Tensor, Tensor, State]:
        """Advance one timestep; return mean logits, score, next state."""
        logits, score, *following = self.step_graph((*drives, *state.values()))
        return logits, score, dict(zip(state, following, strict=True))

    def initial_state(self, batch_size: int) -> State:
        """Return the state of fresh rows."""
        return {
            state.name: self.starts[state.name].expand(batch_size, *state.shape).contiguous()
            for state in self.document.states
        }
