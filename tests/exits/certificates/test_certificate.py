"""Certificates: the walk takes the last point that passes, keeps its promise, and says when it cannot be given."""

import json
from dataclasses import replace

import pytest
import torch
from msgspec import ValidationError, convert
from torch import Tensor

from seenn_convert.artifact.files import json_text
from seenn_convert.artifact.schema.coding import to_plain
from seenn_convert.choices import Bound, Risk
from seenn_convert.errors import CalibrationDataError, InputError
from seenn_convert.exits.certificates.bounds import binomial_p_values
from seenn_convert.exits.certificates.certificate import (
    Certificate,
    Certify,
    check_certifiable,
    last_certified,
    leading,
    make_certificate,
)


def losses_of(failures: list[int], images: int) -> Tensor:
    """Return a matrix ``(points, images)`` with that many failures in each row."""
    return torch.stack([(torch.arange(images) < count).long() for count in failures])


def test_the_walk_stops_at_the_first_that_fails_and_takes_the_one_before() -> None:
    """With 400 images, epsilon 0.02 and delta 0.05, 3 failures pass (p 0.04) and 4 do not (p 0.10)."""
    p = binomial_p_values(torch.arange(6), 400, 0.02)
    assert float(p[3]) <= 0.05 < float(p[4])
    request = Certify(0.02, 0.05)
    assert last_certified(losses_of([0, 1, 3, 4, 5], 400), request) == 2
    assert last_certified(losses_of([0, 1, 4, 0, 0], 400), request) == 1  # what comes behind a failure is not looked at
    assert last_certified(losses_of([0, 0, 0], 400), request) == 2
    assert last_certified(losses_of([4, 0, 0], 400), request) == -1


def test_leading_counts_in_the_last_axis() -> None:
    passed = torch.tensor([[True, True, False, True], [False, True, True, True], [True, True, True, True]])
    assert leading(passed).tolist() == [2, 0, 4]


@pytest.mark.parametrize("bound", ["binomial", "betting"])
@pytest.mark.parametrize("risk", ["disagreement", "accuracy"])
def test_over_many_draws_it_is_broken_at_most_as_often_as_stated(risk: str, bound: str) -> None:
    """A path of rising risk whose third point is just above epsilon: that is certified in at most delta of 400 draws."""
    request = Certify(0.05, 0.1, risk, bound)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(3)
    gain = 0.0 if risk == "disagreement" else 0.02
    chances = torch.tensor([[0.0, 0.0], [0.01, gain], [0.051 + gain, gain], [0.2, gain]])
    broken = faster = 0
    for _ in range(400):
        u = torch.rand(300, generator=generator)
        losses = (u < chances[:, :1]).long() - ((u >= 0.5) & (u < 0.5 + chances[:, 1:])).long()
        last = last_certified(losses, request)
        broken += last >= 2
        faster += last >= 1
    assert broken <= 400 * 0.1 + 18  # three standard deviations of chance
    assert faster > 300  # and it is not silent: one in a hundred is well below five


def certificate() -> Certificate:
    losses = torch.tensor([1, 1] + [0] * 398)
    return make_certificate(
        Certify(0.02, 0.05), losses, 3.25, 3.0, False, {"policy": "confidence", "thresholds": [0.5, -1.0]}
    )


def test_the_certificate_says_what_was_counted() -> None:
    found = certificate()
    assert (found.images, found.failures, found.gains, found.observed) == (400, 2, 0, 0.005)
    assert 0.005 < found.upper_bound <= 0.02
    assert (found.bound, found.average_timesteps, found.full_run) == ("binomial", 3.25, False)
    full = make_certificate(Certify(0.02, 0.05), torch.zeros(400).long(), 8.0, 8.0, True, {"policy": "x"})
    assert full.full_run and full.upper_bound == 0.0
    accuracy = make_certificate(
        Certify(0.1, 0.05, "accuracy", "betting"), torch.tensor([1, -1, -1] + [0] * 97), 2.0, 2.0, False, {}
    )
    assert (accuracy.failures, accuracy.gains, accuracy.observed) == (1, 2, -0.01)


def test_it_is_plain_data_and_comes_back() -> None:
    found = certificate()
    assert convert(json.loads(json_text(found)), Certificate) == found


@pytest.mark.parametrize("change", [
    {"epsilon": 0}, {"epsilon": 1.5}, {"epsilon": "0.1"}, {"delta": None}, {"risk": "regret"}, {"bound": "hoeffding"},
    {"images": -1}, {"images": 2.5}, {"failures": 401}, {"gains": True}, {"observed": 2.0}, {"upper_bound": float("nan")},
    {"average_timesteps": 0.5}, {"fastest_timesteps": None}, {"full_run": 1}, {"policy": []},
])  # fmt: skip
def test_nonsense_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=rf"\$\.({'|'.join(change)})|401 failures"):
        convert({**to_plain(certificate()), **change}, Certificate)


@pytest.mark.parametrize("data", [[], "yes", {}])
def test_other_data_is_refused(data: object) -> None:
    with pytest.raises(ValidationError):
        convert(data, Certificate)


def test_a_request_out_of_range_lists_every_problem() -> None:
    with pytest.raises(InputError) as caught:
        Certify(0.0, 1.0, "regret", "hoeffding")  # type: ignore[arg-type]
    for reason in ("epsilon of a certificate must be above 0 and below 1, got 0.0", "delta of a certificate",
                   "risk to certify must be one of disagreement, accuracy", "bound of a certificate must be one of"):  # fmt: skip
        assert reason in str(caught.value)
    with pytest.raises(InputError, match="got nan"):
        Certify(float("nan"), 0.05)
    with pytest.raises(InputError, match="got True"):
        Certify(True, 0.05)


def test_too_few_images_say_how_many_are_needed() -> None:
    """One point at delta 5 % needs 299 images; at 40 of 100 held out these are about 748 calibration images."""
    with pytest.raises(CalibrationDataError, match="40 held-out images of 100 .* 299 are needed, which are about 748 "):
        check_certifiable(Certify(0.01, 0.05), 100, 40, labelled=True)
    check_certifiable(Certify(0.01, 0.05), 748, 299, labelled=False)
    with pytest.raises(CalibrationDataError, match="--certify-risk disagreement"):
        check_certifiable(Certify(0.01, 0.05, "accuracy"), 4000, 1600, labelled=False)


def test_without_a_bound_risk_and_number_of_images_decide() -> None:
    assert Certify(0.01, 0.05).bound_for(100_000) == "binomial"
    accuracy = Certify(0.01, 0.05, "accuracy")
    assert (accuracy.bound_for(299), accuracy.bound_for(2000)) == ("binomial", "betting")
    assert replace(accuracy, bound="betting").bound_for(10) == "betting"
    check_certifiable(accuracy, 748, 299, labelled=True)


@pytest.mark.parametrize("risk", ["disagreement", "accuracy"])
@pytest.mark.parametrize("bound", [None, "binomial", "betting"])
@pytest.mark.parametrize(
    ("epsilon", "delta"), [(1e-6, 0.05), (1e-9, 0.05), (5e-324, 0.05), (0.01, 5e-324), (1e-300, 1e-300)]
)
def test_what_no_set_of_images_can_show_is_refused_before_the_work(
    risk: Risk, bound: Bound | None, epsilon: float, delta: float
) -> None:
    with pytest.raises(CalibrationDataError, match=r"are too few to certify .*: \d+ are needed"):
        check_certifiable(Certify(epsilon, delta, risk, bound), 150, 60, labelled=True)
