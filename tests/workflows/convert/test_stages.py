"""The stages read each part of the calibration data for its purpose, and no other part."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import small_artifacts as small
import torch
from calibrating import calibrate

from seenn_convert.calibration.output_error import LEAST_DIVERGENCE
from seenn_convert.calibration.rules import AutoRule, MaxRule, MseRule
from seenn_convert.choices import CORRECTION_NAMES
from seenn_convert.errors import CalibrationDataError
from seenn_convert.exits.tune import Split, split_calibration
from seenn_convert.ir.operators.step import TimestepBias
from seenn_convert.ir.program import Program
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.session import BIAS_TIMESTEPS, Session
from seenn_convert.workflows.convert.stages import weights
from seenn_convert.workflows.convert.stages.biases import correct, fit_bias
from seenn_convert.workflows.convert.stages.exit import fit_exit
from seenn_convert.workflows.convert.stages.thresholds import calibrate_thresholds
from seenn_convert.workflows.convert.stages.weights import tune_weights

SPLIT = split_calibration(96, 0)


def damaged_held_out() -> tuple[torch.Tensor, torch.Tensor]:
    pixels, labels = small.draw(96, 1)
    pixels[list(SPLIT.held_out)] = 1000.0
    return pixels, labels


def test_thresholds_and_biases_come_from_the_fitting_part() -> None:
    ann, options, told = (
        small.ann_program(),
        Options(timesteps=3, rule=MseRule(), batch_size=29),
        list[tuple[str, int, int]](),
    )

    def progress(*what: object) -> None:
        told.append(what)  # type: ignore[arg-type]

    clean, other = small.dataset(), small.as_dataset(*damaged_held_out())
    found = calibrate_thresholds(Session(ann, clean, SPLIT, options, progress))
    assert found == calibrate(ann, [small.draw(96, 1)[0][list(SPLIT.fitting)]], options.rule)
    assert found == calibrate_thresholds(Session(ann, other, SPLIT, options, progress))
    assert told[2] == ("calibrating", 58, 58)
    biases = [
        fit_bias(Session(ann, data, SPLIT, options, progress), small.spiking_program()) for data in (clean, other)
    ]
    assert all(torch.equal(biases[0][name], biases[1][name]) for name in biases[0])
    assert told[-1] == ("correcting means", 58, 58)  # all there are


def test_the_rule_of_least_error_is_chosen_on_the_fitting_part() -> None:
    """Every candidate is tried, the least error wins, and the held-out part has no say."""
    ann, options = small.ann_program(), Options(timesteps=4)
    found = [
        calibrate_thresholds(Session(ann, data, SPLIT, options, lambda *what: None))
        for data in (small.dataset(), small.as_dataset(*damaged_held_out()))
    ]
    assert found[0] == found[1]
    errors = found[0].choice
    assert set(errors) == {rule.name for rule in AutoRule().candidates(4)}
    best = min(errors, key=lambda name: errors[name])
    assert found[0].rule == f"auto: {best}"
    chosen = next(rule for rule in AutoRule().candidates(4) if rule.name == best)
    wanted = calibrate(ann, [small.draw(96, 1)[0][list(SPLIT.fitting)]], chosen)
    assert found[0].layers == wanted.layers


def test_biases_end_where_the_start_up_does() -> None:
    """A run longer than the fitted timesteps has no bias behind them."""
    session = Session(small.ann_program(), small.dataset(), SPLIT, Options(timesteps=BIAS_TIMESTEPS + 9))
    biases = fit_bias(session, small.spiking_program())
    for bias in biases.values():
        assert len(bias) == BIAS_TIMESTEPS + 1
        assert not bias[-1].any() and bias[:-1].any()


def test_biases_do_not_depend_on_the_batch_size() -> None:
    ann, spiking, data = small.ann_program(), small.spiking_program(), small.dataset()
    a, b = (fit_bias(Session(ann, data, SPLIT, Options(timesteps=3, batch_size=size)), spiking) for size in (1, 500))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_tuning_leaves_the_spiking_program_as_it_was() -> None:
    spiking = small.spiking_program()
    before = list(spiking.graph_module.graph.nodes)
    tuning = fit_exit(Session(small.ann_program(), small.dataset(), SPLIT, Options(timesteps=3)), spiking, small.ann_program())
    assert list(spiking.graph_module.graph.nodes) == before
    assert tuning.temperatures.shape == (3,)
    assert isinstance(SPLIT, Split)


def test_each_correction_does_what_it_says() -> None:
    ann, spiking, data = small.ann_program(), small.spiking_program(), small.dataset()
    last = {
        name: correct(Session(ann, data, SPLIT, Options(timesteps=3, correction=name)), spiking)
        for name in CORRECTION_NAMES
    }
    assert last["none"] is spiking
    assert last["potential"].history[-1].name == "ShiftInitialPotential"
    assert last["bias"].history[-1].name == last["timestep"].history[-1].name == "InsertTimestepBias"
    lengths = {
        name: {len(module.bias) for _, module in last[name].calls() if isinstance(module, TimestepBias)}
        for name in ("bias", "timestep")
    }
    assert lengths == {"bias": {1}, "timestep": {3}}


@pytest.mark.slow
def test_only_a_deep_calibration_tunes_weights_and_only_where_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without biases, which leave tuning little to gain on so small a network."""
    ann, data = small.ann_program(), small.dataset()
    options = Options(timesteps=4, calibration="deep", rule=MseRule(4), correction="none")
    plain = calibrate_thresholds(Session(ann, data, SPLIT, options))
    assert tune_weights(Session(ann, data, SPLIT, replace(options, calibration="balanced")), plain) == (ann, plain)

    program, kept = tune_weights(Session(ann, data, SPLIT, options), plain)
    assert kept.weights["kept"] is True and kept.weights["errors_after"][-1] < kept.weights["errors_before"][-1]
    assert program is not ann and kept.v_thresholds().keys() == plain.v_thresholds().keys()
    again, same = tune_weights(Session(ann, small.as_dataset(*damaged_held_out()), SPLIT, options), plain)
    assert same == kept
    for name, value in program.graph_module.state_dict().items():
        assert torch.equal(again.graph_module.state_dict()[name], value)

    monkeypatch.setattr("seenn_convert.training.reconstruct.WEIGHT_RATE", 3.0)
    program, left = tune_weights(Session(ann, data, SPLIT, options), plain)
    assert program is ann and left.weights["kept"] is False and left.layers == plain.layers


def test_a_fast_calibration_compares_no_rules_and_corrects_by_one_bias() -> None:
    options = Options(timesteps=6, calibration="fast")
    found = calibrate_thresholds(Session(small.ann_program(), small.dataset(), SPLIT, options))
    assert found.rule == "mse, 3 levels" and not found.choice
    assert options.chosen_correction == "bias"
    assert Options().chosen_correction == Options(calibration="deep").chosen_correction == "timestep"


def test_too_few_images_tune_no_weights() -> None:
    split, options = split_calibration(40, 0), Options(timesteps=4, calibration="deep", rule=MseRule(4))
    data = small.dataset(40)
    plain = calibrate_thresholds(Session(small.ann_program(), data, split, options))
    with pytest.raises(CalibrationDataError, match="40 calibration images, of which 24 are for fitting, are too few"):
        tune_weights(Session(small.ann_program(), data, split, options), plain)


def test_images_that_judge_tuned_weights_tune_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage to every fourth fitting image, which judges, changes the error at most, never the weights."""

    def errors(ann: Program, program: Program, *given: Any) -> list[float]:  # tuned weights are kept, like it or not
        return [float(given[3].abs().mean()) + (program is ann)]

    monkeypatch.setattr(weights, "output_errors", errors)
    ann, options = small.ann_program(), Options(timesteps=4, calibration="deep", rule=MseRule(4))
    plain = calibrate_thresholds(Session(ann, small.dataset(), SPLIT, options))
    pixels, labels = small.draw(96, 1)
    pixels[list(SPLIT.fitting[::4])] *= 1.01
    found = [
        tune_weights(Session(ann, data, SPLIT, options), plain)
        for data in (small.dataset(), small.as_dataset(pixels, labels))
    ]
    (program, one), (other_program, other) = found
    assert one.weights["kept"] and other.weights["kept"]
    assert all(torch.equal(value, other.v_thresholds()[name]) for name, value in one.v_thresholds().items())
    for name, value in program.graph_module.state_dict().items():
        assert torch.equal(value, other_program.graph_module.state_dict()[name])
    assert found[0][1].weights["errors_after"] != found[1][1].weights["errors_after"]


def test_weights_that_help_early_answers_at_the_cost_of_the_last_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def errors(ann: Program, program: Program, *given: Any) -> list[float]:
        return [0.3, 0.2, 0.1] if program is ann else [0.1, 0.1, 0.11]

    monkeypatch.setattr(weights, "output_errors", errors)
    ann, options = small.ann_program(), Options(timesteps=4, calibration="deep", rule=MseRule(4))
    plain = calibrate_thresholds(Session(ann, small.dataset(), SPLIT, options))
    program, left = tune_weights(Session(ann, small.dataset(), SPLIT, options), plain)
    assert program is ann and left.weights["kept"] is False and left.layers == plain.layers


def test_answers_that_differ_by_rounding_alone_are_no_reason_to_keep_tuned_weights() -> None:
    """An ANN that is very sure of these images: the divergence of both networks is nothing but rounding."""
    ann, data = small.ann_program(), small.dataset()
    sure = copy.deepcopy(ann.graph_module)
    head = next(module for module in sure.modules() if isinstance(module, torch.nn.Linear))
    with torch.no_grad():
        head.weight.mul_(1000)
        head.bias.mul_(1000)
    ann = replace(ann, graph_module=sure)
    options = Options(timesteps=16, neuron="tracking", calibration="deep", rule=MaxRule())
    plain = calibrate_thresholds(Session(ann, data, SPLIT, options))
    program, left = tune_weights(Session(ann, data, SPLIT, options), plain)
    assert left.weights["errors_before"] == left.weights["errors_after"] == [LEAST_DIVERGENCE] * 3
    assert left.weights["kept"] is False
    assert program is ann
