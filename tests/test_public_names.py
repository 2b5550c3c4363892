"""The names that users may rely on, and that nothing is imported before it is needed."""

import subprocess
import sys

import pytest

import seenn_convert

PUBLIC = [
    "AdoptOptions", "Artifact", "Certify", "Dataset", "EventFrames", "ExitScore", "ExitTarget", "ExitTrace", "FinetuneOptions", "Options", "PolicyOptions", "Prediction",
    "Preprocessing", "Samples", "SeennConvertError", "SpikingModel",
    "__version__", "adopt", "as_samples", "attach_policy", "bench", "check", "compare", "convert", "evaluate", "evaluate_exported", "explore", "export", "finetune", "load", "load_artifact", "open_dataset",
    "predict", "recalibrate", "run_early_exit", "runnable", "write_figures", "write_report",
]  # fmt: skip


def test_the_public_names() -> None:
    assert sorted(seenn_convert.__all__) == PUBLIC
    assert dir(seenn_convert) == sorted(seenn_convert.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_is_there(name: str) -> None:
    assert getattr(seenn_convert, name) is not None


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = seenn_convert.nothing


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, seenn_convert; dir(seenn_convert); print({'torch', 'numpy', 'onnx'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
