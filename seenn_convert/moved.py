"""Modules and names of the version before: they still work, with a DeprecationWarning that says where they are now."""

import importlib
import sys
import warnings
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from seenn_convert.choices import SCORE_NAMES

PACKAGE = "seenn_convert."
MODULES = {
    "compiler": "workflows.convert.run",
    "options": "workflows.convert.options",
    "evaluation": "workflows.evaluate",
    "stages": "workflows.convert.session",
    "planning": "workflows.add_planner.run",
    "policy_options": "workflows.add_planner.options",
    "prediction": "workflows.predict",
    "program": "ir.program",
    "draft": "ir.editor",
    "catalogue": "ir.schema",
    "operators": "ir.operators",
    "operators.aten": "ir.operators.aten",
    "operators.basic": "ir.operators.basic",
    "operators.treatment": "ir.operators.treatment",
    "scores": "ir.scores",
    "neuron": "neurons.law",
    "spiking": "neurons.layers",
    "kinds": "neurons.types",
    "export": "artifact",
    "export.artifact": "artifact.artifact",
    "export.files": "artifact.files",
    "export.graphs": "artifact.graphs",
    "frontend.from_torch": "frontend.torch.read",
    "report.evaluate": "workflows.evaluate",
    "report.compare": "measure.compare",
    "runtime.all_timesteps": "exits.readouts",
    "runtime.plan_logits": "exits.readouts",
    "tuning": "exits",
    "tuning.certificate": "exits.certificates.certificate",
    "tuning.exit_threshold": "exits.thresholds",
    "tuning.tune": "exits.tune",
    "tuning.ways": "exits.strategies.basic",
}
"""Old module -> new one."""

NAMES = {
    "run_all_timesteps": "collect_readouts",
    "AllTimesteps": "Readouts",
    "NeuronKind": "NeuronType",
    "NEURON_KINDS": "NEURON_TYPES",
    "neuron_kind": "neuron_type",
    "Way": "ExitStrategy",
    "FixedWay": "FixedStrategy",
    "ScoreWay": "ScoreStrategy",
    "GlobalWay": "GlobalStrategy",
    "WAYS": "STRATEGIES",
    "evaluate_artifact": "evaluate",
}
"""Old name in one of these modules -> new one."""

ELSEWHERE = {
    **dict.fromkeys(("ScoreName", "SCORE_NAMES", "PRESET_NAMES", "CORRECTION_NAMES"), "choices"),
    **dict.fromkeys(("initial_state", "rows_together"), "ir.state"),
    **dict.fromkeys(("ExitProbe", "MeanDifference", "TemporalDifference", "Tick", "TimestepBias"), "ir.operators.step"),
    "images_together": "analysis.memory",
}
"""Name -> the module it has gone to by itself."""


class _Moved(ModuleType):
    """A module at its old place: what is asked of it comes from the new one."""

    def __init__(self, name: str, target: ModuleType) -> None:
        super().__init__(name)
        self.__path__, self._is_now = [], target
        self.__all__ = [name for name in vars(target) if not name.startswith("_")]

    def __getattr__(self, name: str) -> Any:
        if name == "plan_logits" and self.__name__ == f"{PACKAGE}runtime.plan_logits":
            return _plan_logits
        here = NAMES.get(name, name)
        if not hasattr(self._is_now, here) and name in ELSEWHERE:
            return getattr(importlib.import_module(PACKAGE + ELSEWHERE[name]), name)
        return getattr(self._is_now, here)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function that is now where the module was: ``export`` alone is both."""
        if self.__name__ != f"{PACKAGE}export":
            raise TypeError(f"module {self.__name__!r} is not callable")
        return importlib.import_module(f"{PACKAGE}workflows.export").export(*arguments, **named)


class _Finder(MetaPathFinder, Loader):
    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname.removeprefix(PACKAGE) in MODULES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        new = PACKAGE + MODULES[spec.name.removeprefix(PACKAGE)]
        warnings.warn(f"{spec.name} has moved to {new}", DeprecationWarning, stacklevel=2)
        return _Moved(spec.name, importlib.import_module(new))

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: there is no code of its own."""


def keep_old_names() -> None:
    """Let old modules of this package be found, behind all that is really there; once a process."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


def _plan_logits(model: Any, batches: Any, row_floor: int = 16) -> Any:
    """Return the plan logits ``(N, T)`` of all images: what ``collect_readouts(..., keep_plan=True).plan`` is."""
    readouts = importlib.import_module(f"{PACKAGE}exits.readouts")
    return readouts.collect_readouts(model, batches, keep_plan=True, row_floor=row_floor).plan


def old_policy(name: str) -> Any:
    """Return what makes the exit policy that had a class of its own before there was one for all scores.

    Raises:
        AttributeError: There never was one of this name.
    """
    scores = {f"{score.capitalize()}Policy": score for score in SCORE_NAMES}
    if name != "PlannedScorePolicy" and name not in scores:
        raise AttributeError(f"module 'seenn_convert.runtime.policies' has no attribute {name!r}")
    new = "PlannedPolicy(early)" if name not in scores else f"ThresholdPolicy({scores[name]!r}, thresholds)"
    warnings.warn(f"{name} is now {new}", DeprecationWarning, stacklevel=3)
    policies = importlib.import_module(f"{PACKAGE}runtime.policies")
    return policies.PlannedPolicy if name not in scores else partial(policies.ThresholdPolicy, scores[name])
