"""Convert pretrained classifiers into spiking early-exit networks (SEENN).

``convert`` makes an ``Artifact``, ``load`` gives its spiking model back, ``evaluate`` judges it on other data.
Names are imported on first use, so that ``import seenn_convert`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seenn_convert.compiler import convert, load, recalibrate
    from seenn_convert.data import Dataset, Preprocessing, open_dataset
    from seenn_convert.errors import SeennConvertError
    from seenn_convert.export.artifact import Artifact, load_artifact
    from seenn_convert.options import Options
    from seenn_convert.planning import attach_policy
    from seenn_convert.policy_options import PolicyOptions
    from seenn_convert.prediction import Prediction, predict
    from seenn_convert.report.evaluate import evaluate
    from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
    from seenn_convert.runtime.spiking_model import SpikingModel
    from seenn_convert.tuning.certificate import Certify
    from seenn_convert.tuning.exit_threshold import ExitTarget

__version__ = "0.1.0"

_HOMES = {
    "Artifact": "export.artifact",
    "Certify": "tuning.certificate",
    "Dataset": "data",
    "ExitTarget": "tuning.exit_threshold",
    "ExitTrace": "runtime.early_exit",
    "Options": "options",
    "PolicyOptions": "policy_options",
    "Prediction": "prediction",
    "Preprocessing": "data",
    "SeennConvertError": "errors",
    "SpikingModel": "runtime.spiking_model",
    "attach_policy": "planning",
    "convert": "compiler",
    "evaluate": "report.evaluate",
    "load": "compiler",
    "load_artifact": "export.artifact",
    "open_dataset": "data",
    "predict": "prediction",
    "recalibrate": "compiler",
    "run_early_exit": "runtime.early_exit",
}

__all__ = [
    "Artifact",
    "Certify",
    "Dataset",
    "ExitTarget",
    "ExitTrace",
    "Options",
    "PolicyOptions",
    "Prediction",
    "Preprocessing",
    "SeennConvertError",
    "SpikingModel",
    "__version__",
    "attach_policy",
    "convert",
    "evaluate",
    "load",
    "load_artifact",
    "open_dataset",
    "predict",
    "recalibrate",
    "run_early_exit",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'seenn_convert' has no attribute {name!r}")
    return getattr(import_module(f"seenn_convert.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
