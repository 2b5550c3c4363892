"""What the version before called by another name still works, and says what to use."""

import importlib
import subprocess
import sys
from typing import get_args

import pytest
import small_artifacts as small

import seenn_convert
from seenn_convert.errors import InputError
from seenn_convert.moved import MODULES, PACKAGE
from seenn_convert.runtime import policies
from seenn_convert.runtime.policies import PlannedPolicy, ThresholdPolicy


@pytest.mark.parametrize(("old", "new"), MODULES.items())
def test_an_old_module_is_found_and_says_where_it_is(old: str, new: str) -> None:
    sys.modules.pop(PACKAGE + old, None)
    with pytest.warns(DeprecationWarning, match=f"{PACKAGE}{old} has moved to {PACKAGE}{new}"):
        module = importlib.import_module(PACKAGE + old)
    there = importlib.import_module(PACKAGE + new)
    assert all(getattr(module, name) is value for name, value in vars(there).items() if not name.startswith("__"))


def test_old_names_are_the_new_ones() -> None:
    with pytest.warns(DeprecationWarning):
        for module in ("kinds", "runtime.all_timesteps", "scores", "tuning.ways", "compiler", "tuning"):
            sys.modules.pop(PACKAGE + module, None)
        from seenn_convert.compiler import convert
        from seenn_convert.kinds import NeuronKind
        from seenn_convert.runtime.all_timesteps import run_all_timesteps
        from seenn_convert.scores import ScoreName
        from seenn_convert.tuning.ways import Way
    from seenn_convert.exits.readouts import collect_readouts
    from seenn_convert.exits.strategies.basic import ExitStrategy
    from seenn_convert.neurons.types import NeuronType

    assert "margin" in get_args(ScoreName)
    assert (convert, NeuronKind) == (seenn_convert.convert, NeuronType)
    assert (run_all_timesteps, Way) == (collect_readouts, ExitStrategy)


def test_a_script_sees_the_warning_at_its_own_line(tmp_path) -> None:
    script = tmp_path / "old.py"
    script.write_text("import seenn_convert\nfrom seenn_convert.tuning.exit_threshold import ExitTarget\nprint(ExitTarget(drop=1).drop)\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert "old.py:2: DeprecationWarning: seenn_convert.tuning.exit_threshold has moved to" in done.stderr


def test_what_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("seenn_convert.nowhere")
    with pytest.raises(AttributeError), pytest.warns(DeprecationWarning):
        sys.modules.pop(PACKAGE + "kinds", None)
        getattr(importlib.import_module("seenn_convert.kinds"), "nothing")  # noqa: B009  # the access is the test


def test_old_exit_policies_are_the_new_ones_with_a_score() -> None:
    with pytest.warns(DeprecationWarning, match=r"MarginPolicy is now ThresholdPolicy\('margin', thresholds\)"):
        from seenn_convert.runtime.policies import MarginPolicy, PlannedScorePolicy
    early = MarginPolicy((0.5, 0.25))
    assert early == ThresholdPolicy("margin", (0.5, 0.25)) and PlannedScorePolicy(early) == PlannedPolicy(early)
    with pytest.raises(AttributeError, match="has no attribute 'WhimPolicy'"):
        policies.WhimPolicy  # noqa: B018


def test_what_the_old_pages_showed_still_runs() -> None:
    model, images = small.artifact().model(), small.draw(20, 3)[0]
    with pytest.warns(DeprecationWarning):
        for module in ("runtime.all_timesteps", "runtime.plan_logits", "evaluation", "options"):
            sys.modules.pop(PACKAGE + module, None)
        from seenn_convert.evaluation import evaluate_artifact
        from seenn_convert.runtime.all_timesteps import run_all_timesteps
        from seenn_convert.runtime.plan_logits import plan_logits
    assert run_all_timesteps(model, [images], keep_logits=True).logits.shape[1] == 20
    with pytest.raises(InputError, match="no policy head"):
        plan_logits(model, [images])
    assert evaluate_artifact is seenn_convert.evaluate
    with pytest.warns(DeprecationWarning):
        assert len(small.dataset().limit(7)) == 7
    namespace: dict[str, object] = {}
    exec("from seenn_convert.options import *", namespace)
    assert namespace["Options"] is seenn_convert.Options
