"""The spiking network as an ordinary module: a stem that runs once, a step that runs at each timestep."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, fx, nn

from seenn_convert.choices import COUNT
from seenn_convert.errors import InputError, reason_of, refuse
from seenn_convert.ir.operators.step import ExitProbe
from seenn_convert.ir.program import Program, Stage, plans_from_image
from seenn_convert.ir.state import initial_state
from seenn_convert.neurons.layers import Neuron
from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
from seenn_convert.runtime.engine import State
from seenn_convert.runtime.fresh_rows import check_numbers
from seenn_convert.runtime.overwriting import overwriting
from seenn_convert.runtime.policies import ExitPolicy, reads_plan

_COUNTED = {torch.bfloat16: 256, torch.float16: 2048}
"""Whole numbers that a type of few bits has without a gap, from 0 on."""


@dataclass(frozen=True)
class LayerInfo:
    """One layer of neurons: node name, class, thresholds."""

    name: str
    neuron: Neuron


class SpikingModel(nn.Module):
    """A converted network with early exit.

    State is a value: ``step`` takes it and returns the next one, and nothing has to be reset. ``forward`` runs a
    batch, drops each sample from it when the policy lets it go, and returns an ``ExitTrace``.

    Args:
        program: Of stage SNN, with stem and exit probe.
        timesteps: The longest run T.
        policy: Who leaves when.

    Raises:
        InputError: The program has no stem or probe, its probe does not compute the score that the policy reads, the
            policy reads a plan and the program has no policy head, or ``timesteps`` is below 1.
    """

    def __init__(self, program: Program, timesteps: int, policy: ExitPolicy) -> None:
        super().__init__()
        if program.stage is not Stage.SNN or program.stem is None or program.results != ("logits", "score"):
            raise InputError("a spiking model is made of a spiking program with its stem and its exit probe")
        refuse(COUNT.problems("the timesteps of a spiking model", timesteps))
        self.program = program
        self.stem = program.stem
        self.step_graph = program.graph_module
        self.policy_head = program.policy_head
        self.timesteps = timesteps
        self.policy = policy
        computed = self.probe.score_name
        if policy.score_name not in (None, computed):
            raise InputError(f"the exit policy reads '{policy.score_name}' but the probe computes '{computed}'")
        if reads_plan(policy) and program.policy_head is None:
            raise InputError("the exit policy follows a plan and the program has no policy head; attach one")
        # in a tuple, or its modules, which are those of the step graph, would be registered twice
        self._overwriting: tuple[fx.GraphModule, tuple[int, ...]] | None = None
        self.eval().requires_grad_(False)

    def drive(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the time-invariant drives of ``image`` ``(B, *input_shape)``; computed once for an input."""
        self.check_image(image)
        own = image.to(self.device, self.dtype)
        drives: tuple[Tensor, ...] = self.stem(own.contiguous())  # whatever order the caller's images have
        return drives

    def plan(self, image: Tensor, drives: Iterable[Tensor]) -> Tensor:
        """Return the plan logits ``(B, T)`` of the policy head: which exit step it would choose before the run.

        The ``drives`` are those of the ``image`` ``(B, *input_shape)``.

        Raises:
            InputError: The network has no policy head.
        """
        if self.policy_head is None:
            raise InputError("the network has no policy head to plan with; attach one (seenn-convert attach-policy)")
        logits: Tensor = self.policy_head(*((image.contiguous(),) if plans_from_image(self.program) else drives))
        return logits

    def step(self, drives: Iterable[Tensor], state: State) -> tuple[Tensor, Tensor, State]:
        """Advance one timestep; return ``(mean logits (B, K), score (B,), next state)``."""
        logits, score, *following = self.step_graph(*drives, *state.values())
        return logits, score, dict(zip(state, following, strict=True))

    def advance(self, drives: Iterable[Tensor], state: State) -> tuple[Tensor, Tensor, State]:
        """Make the same timestep, and write over ``state``, which is the model's from now on: faster, for a loop.

        State to give away starts as a copy of ``initial_state`` or as what ``step`` returned. A hook that keeps the
        state of a layer of neurons will find it written over; spikes stay.
        """
        if torch.is_grad_enabled() and any(value.requires_grad for value in (*drives, *state.values())):
            return self.step(drives, state)
        modules = tuple(map(id, self.step_graph.modules()))
        if self._overwriting is None or self._overwriting[1] != modules:  # never made, or a module was replaced
            self._overwriting = (overwriting(self.program), modules)
        logits, score, *following = self._overwriting[0](*drives, *state.values())
        return logits, score, dict(zip(state, following, strict=True))

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first timestep of ``batch_size`` rows."""
        return initial_state(self.program, batch_size)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what the first timestep makes again."""
        return {**self.__dict__, "_overwriting": None}

    def forward(self, image: Tensor) -> ExitTrace:
        """Run a batch ``(B, *input_shape)`` of preprocessed images, of any floating-point type, with early exit."""
        self.check_image(image)
        return run_early_exit(self, [image], capacity=max(1, image.shape[0]))

    def check_image(self, image: Tensor) -> None:
        """Raise InputError unless ``image`` is a batch the model takes."""
        expected = self.program.input_shape
        if not isinstance(image, Tensor) or tuple(image.shape[1:]) != expected or image.dim() != len(expected) + 1:
            raise InputError(f"the model takes a batch of shape {_batch_of(expected)}, got {_got(image, expected)}")
        check_numbers(image)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move or cast every tensor, as ``to``, ``cuda``, ``half`` and their like ask."""
        try:
            self._check_kept(fn)
            super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        except (AssertionError, RuntimeError) as error:  # each backend has its own way to say that it is not there
            raise InputError(
                f"the model cannot be moved or cast ({reason_of(error)}); use cpu, or cuda with a CUDA build of "
                "PyTorch and a free device"
            ) from error
        counted = _COUNTED.get(self.dtype)
        if counted is not None and self.timesteps > counted:
            raise InputError(
                f"{str(self.dtype).removeprefix('torch.')} counts timesteps up to {counted} and the model runs for "
                f"{self.timesteps}; call artifact.model(precision='bfloat16'), which leaves clocks and sums in float32"
            )
        return self

    def _check_kept(self, fn: Callable[[Tensor], Tensor]) -> None:
        """Raise InputError where ``fn`` would change a type of number of a model that computes in two."""
        kinds = {one.dtype for one in self.parameters() if one.is_floating_point()} | {self.dtype}
        if len(kinds) > 1 and any(fn(torch.zeros(1, dtype=kind)).dtype is not kind for kind in kinds):
            named = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
            raise InputError(
                f"the model computes in {named} and cannot be cast to one type; artifact.model(precision='float32') "
                "can, and artifact.model(precision='bfloat16') gives this one again"
            )

    def __repr__(self) -> str:
        """Return what the model takes and gives; ``print(model.step_graph)`` lists the modules."""
        kinds = sorted({type(layer.neuron).__name__ for layer in self.layers})
        classes = next(spec.shape[0] for spec in self.program.states if spec.name == "readout")
        return (
            f"SpikingModel({_batch_of(self.program.input_shape)} -> {classes} classes, "
            f"{len(self.layers)} layers of {' and '.join(kinds)},\n"
            f"  at most {self.timesteps} timesteps, exit by {self.policy.to_json()['policy']}, "
            f"{self.dtype} on {self.device}; its modules: .stem, .step_graph)"
        )

    @property
    def layers(self) -> list[LayerInfo]:
        """The layers of neurons, in order."""
        return [LayerInfo(node.name, module) for node, module in self.program.calls() if isinstance(module, Neuron)]

    @property
    def probe(self) -> ExitProbe:
        """What computes the exit score."""
        return next(module for module in self.step_graph.modules() if isinstance(module, ExitProbe))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.probe.temperatures.device

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type of its state."""
        return self.probe.temperatures.dtype


def _batch_of(row: Sequence[int]) -> str:
    """Return the shape of a batch in words; the number of rows is left open, for a batch may have been padded."""
    return f"(B, {', '.join(map(str, row))})"


def _got(image: object, expected: tuple[int, ...]) -> str:
    """Return what was given instead of a batch, and what helps where that is plain."""
    if not isinstance(image, Tensor):
        hint = "give a tensor of preprocessed images, or call predict(artifact, images), which takes arrays and files"
        return f"{type(image).__name__}; {hint}"
    if tuple(image.shape) == expected:
        return f"a single one of {expected}; give image.unsqueeze(0)"
    return _batch_of(image.shape[1:]) if image.dim() else "a single number"
