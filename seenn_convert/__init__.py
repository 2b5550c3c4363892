"""Convert pretrained classifiers into spiking early-exit networks (SEENN).

``convert`` makes an ``Artifact``, ``load`` gives its spiking model back, ``evaluate`` judges it on other data.
Names are imported on first use, so that ``import seenn_convert`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seenn_convert.moved import keep_old_names

if TYPE_CHECKING:
    from seenn_convert.artifact.artifact import Artifact, load_artifact
    from seenn_convert.data import Dataset, EventFrames, Preprocessing, Samples, as_samples, open_dataset
    from seenn_convert.errors import SeennConvertError
    from seenn_convert.exits.certificates.certificate import Certify
    from seenn_convert.exits.thresholds import ExitTarget
    from seenn_convert.ir.scores import ExitScore
    from seenn_convert.measure.compare import compare
    from seenn_convert.report.figures import write_figures
    from seenn_convert.report.write import write_report
    from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
    from seenn_convert.runtime.spiking_model import SpikingModel
    from seenn_convert.workflows.add_planner.options import PolicyOptions
    from seenn_convert.workflows.add_planner.run import attach_policy
    from seenn_convert.workflows.adopt.options import AdoptOptions
    from seenn_convert.workflows.adopt.run import adopt
    from seenn_convert.workflows.bench import bench
    from seenn_convert.workflows.check import check
    from seenn_convert.workflows.convert.options import Options
    from seenn_convert.workflows.convert.run import convert, load, recalibrate
    from seenn_convert.workflows.evaluate import evaluate, evaluate_exported
    from seenn_convert.workflows.explore.run import explore
    from seenn_convert.workflows.export import export
    from seenn_convert.workflows.finetune.options import FinetuneOptions
    from seenn_convert.workflows.finetune.run import finetune
    from seenn_convert.workflows.predict import Prediction, predict
    from seenn_convert.workflows.runnable import runnable

__version__ = "0.1.0"

keep_old_names()

_HOMES = {
    "AdoptOptions": "workflows.adopt.options",
    "Artifact": "artifact.artifact",
    "Certify": "exits.certificates.certificate",
    "Dataset": "data",
    "EventFrames": "data",
    "ExitScore": "ir.scores",
    "ExitTarget": "exits.thresholds",
    "ExitTrace": "runtime.early_exit",
    "FinetuneOptions": "workflows.finetune.options",
    "Options": "workflows.convert.options",
    "PolicyOptions": "workflows.add_planner.options",
    "Prediction": "workflows.predict",
    "Preprocessing": "data",
    "Samples": "data",
    "SeennConvertError": "errors",
    "SpikingModel": "runtime.spiking_model",
    "adopt": "workflows.adopt.run",
    "as_samples": "data",
    "attach_policy": "workflows.add_planner.run",
    "bench": "workflows.bench",
    "check": "workflows.check",
    "compare": "measure.compare",
    "convert": "workflows.convert.run",
    "evaluate": "workflows.evaluate",
    "evaluate_exported": "workflows.evaluate",
    "explore": "workflows.explore.run",
    "export": "workflows.export",
    "finetune": "workflows.finetune.run",
    "load": "workflows.convert.run",
    "load_artifact": "artifact.artifact",
    "open_dataset": "data",
    "predict": "workflows.predict",
    "recalibrate": "workflows.convert.run",
    "run_early_exit": "runtime.early_exit",
    "runnable": "workflows.runnable",
    "write_figures": "report.figures",
    "write_report": "report.write",
}

__all__ = [
    "AdoptOptions",
    "Artifact",
    "Certify",
    "Dataset",
    "EventFrames",
    "ExitScore",
    "ExitTarget",
    "ExitTrace",
    "FinetuneOptions",
    "Options",
    "PolicyOptions",
    "Prediction",
    "Preprocessing",
    "Samples",
    "SeennConvertError",
    "SpikingModel",
    "__version__",
    "adopt",
    "as_samples",
    "attach_policy",
    "bench",
    "check",
    "compare",
    "convert",
    "evaluate",
    "evaluate_exported",
    "explore",
    "export",
    "finetune",
    "load",
    "load_artifact",
    "open_dataset",
    "predict",
    "recalibrate",
    "run_early_exit",
    "runnable",
    "write_figures",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'seenn_convert' has no attribute {name!r}")
    return getattr(import_module(f"seenn_convert.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
