"""Modules and names of the version before: they still work, with a DeprecationWarning that says where they are now."""

import importlib
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGE = "seenn_convert."
MODULES = {
    "compiler": "workflows.convert.run",
    "options": "workflows.convert.options",
    "evaluation": "workflows.evaluate",
    "planning": "workflows.add_planner.run",
    "policy_options": "workflows.add_planner.options",
    "prediction": "workflows.predict",
    "program": "ir.program",
    "draft": "ir.editor",
    "catalogue": "ir.schema",
    "operators": "ir.operators",
    "scores": "ir.scores",
    "neuron": "neurons.law",
    "spiking": "neurons.layers",
    "kinds": "neurons.types",
    "export": "artifact",
    "export.artifact": "artifact.artifact",
    "frontend.from_torch": "frontend.torch.read",
    "report.evaluate": "measure.evaluate",
    "report.compare": "measure.compare",
    "runtime.all_timesteps": "exits.readouts",
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
    "WAYS": "STRATEGIES",
}
"""Old name in one of these modules -> new one."""


class _Moved(ModuleType):
    """A module at its old place: what is asked of it comes from the new one."""

    def __init__(self, name: str, target: ModuleType) -> None:
        super().__init__(name)
        self.__path__, self._is_now = [], target

    def __getattr__(self, name: str) -> Any:
        choices = importlib.import_module(f"{PACKAGE}choices")  # which the words of options have to themselves now
        known = choices if name in vars(choices) and not hasattr(self._is_now, name) else self._is_now
        return getattr(known, NAMES.get(name, name))


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
