"""Which settings are tried, the cheap and promising ones first, and how a setting is written on the command line."""

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import Any

from seenn_convert.choices import VARIED_NAMES, Preset, Varied
from seenn_convert.workflows.convert.options import Options

NEURONS = ("multilevel", "signed", "if")
TIMESTEPS = {"multilevel": (4, 8), "signed": (8, 16, 32), "if": (32,)}
"""Neuron type -> the timesteps that are tried with it."""

OTHER_TIMESTEPS = (4, 8, 16, 32)
"""The same of a neuron type that is given."""


def left_open(options: Options) -> tuple[Varied, ...]:
    """Return the options that have their defaults, which exploring may change."""
    default = {field.name: field.default for field in fields(Options)}
    return tuple(name for name in VARIED_NAMES if getattr(options, name) == default[name])


def settings(base: Options, vary: Collection[Varied]) -> tuple[Options, ...]:
    """Return ``base`` and what is tried beside it, without its preset, in the order in which they are looked at.

    Runs that are shorter than the target's average timesteps are left out.
    """
    target = 0.0 if base.target is None else base.target.timesteps or 0.0
    neurons = NEURONS if "neuron" in vary else (base.neuron,)
    found = [base]
    for neuron in neurons:
        several = TIMESTEPS.get(str(neuron), OTHER_TIMESTEPS) if "neuron" in vary else OTHER_TIMESTEPS
        for timesteps in several if "timesteps" in vary else (base.timesteps,):
            if timesteps >= target and (neuron, timesteps) != (base.neuron, base.timesteps):
                levels = base.neuron_levels if neuron == base.neuron else None
                found.append(replace(base, neuron=neuron, timesteps=timesteps, neuron_levels=levels))
    return tuple(sorted(found, key=lambda options: options.timesteps * (2 if options.neuron == "if" else 1)))


def rounds(base: Options, vary: Collection[Varied]) -> tuple[Mapping[str, Any], ...]:
    """Return what each round of trials changes of the settings that are still in it, the cheapest round first.

    A network that has to spike by ``require_spiking`` has no analog front.
    """
    first: Preset = "fast" if "calibration" in vary else base.calibration
    found: list[Mapping[str, Any]] = [{"calibration": first}]
    if "front" in vary and not base.require_spiking:
        found.append({"calibration": first, "front": "none" if base.front == "auto" else "auto"})
    return (*found, *([] if first == base.calibration else [{"calibration": base.calibration}]))


def command_line(options: Options) -> str:
    """Return the options of the command line that say the setting."""
    neuron = options.neuron_type
    levels = "" if options.neuron_levels is None else f" --neuron-levels {neuron.levels}"
    front = "" if options.front == Options.front else f" --front {options.front}"
    return f"--neuron {neuron.name}{levels} -T {options.timesteps} --calibration {options.calibration}{front}"
