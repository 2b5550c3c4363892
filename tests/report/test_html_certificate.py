"""The page says what is certified, whether it holds here, and nothing where nothing is."""

import pytest

from seenn_convert.report.html import render_html
from seenn_convert.report.html_certificate import certificate_section, certificate_verdict

CERTIFICATE = {
    "risk": "disagreement", "epsilon": 0.01, "delta": 0.05, "bound": "binomial", "images": 400, "failures": 1, "gains": 0,
    "observed": 0.0025, "upper_bound": 0.0099, "average_timesteps": 3.25, "fastest_timesteps": 3.25, "full_run": False, "policy": {},
}  # fmt: skip
CHECK = {"risk": "disagreement", "epsilon": 0.01, "images": 2000, "failures": 8, "gains": 0, "observed": 0.004,
         "interval95": [0.002, 0.008], "holds": True}  # fmt: skip


def report(**check: object) -> dict[str, object]:
    evaluation = {"certificate": {**CHECK, **check}} if check else None
    return {"conversion": {"timesteps": 8, "certificate": CERTIFICATE}, "evaluation": evaluation}


def test_the_section_promises_and_says_what_it_rests_on() -> None:
    page = certificate_section(report())
    assert "at most 1 % of all images get another answer" in page
    assert "400 held-out calibration images" in page and "holds here" not in page
    assert 'id="certificate"' in render_html(report())


@pytest.mark.parametrize(("holds", "words"), [(True, "The certificate holds here"), (False, "does not hold here")])
def test_after_an_evaluation_it_says_whether_it_holds(holds: bool, words: str) -> None:
    found = report(holds=holds)
    assert words in certificate_section(found)
    assert certificate_verdict(found)[0][0] is holds
    assert words in render_html(found)


@pytest.mark.parametrize("absent", [{}, {"conversion": {}}, {"conversion": {"certificate": None}}])
def test_without_a_certificate_there_is_no_section(absent: dict[str, object]) -> None:
    assert certificate_section(absent) == "" and certificate_verdict(absent) == []
    assert "certif" not in render_html(absent)


def test_warnings_of_the_evaluation_are_in_the_box_on_top() -> None:
    page = render_html({"conversion": {"warnings": ["one"]}, "evaluation": {"warnings": ["images of <another> kind"]}})
    assert "<li>one</li><li>images of &lt;another&gt; kind</li>" in page and "2 warnings" in page


def test_a_time_that_was_asked_for_is_held_against_the_one_measured() -> None:
    target = {"drop": None, "timesteps": None, "milliseconds": 2.5}
    price = {"timesteps": 4.2, "stem": 0.1, "step": 0.57, "batch_size": 128, "device": "cpu"}
    found = {
        "conversion": {"exit": {"target": target, "step_time": price, "held_out": {"reached": True}}},
        "evaluation": {"milliseconds_per_image": {"early_exit": 2.75}},
    }
    page = render_html(found)
    assert "at most 2.5 ms an image on average, which are 4.20 timesteps" in page
    assert "Early exit took 2.75 ms an image here; 2.5 ms were asked for" in page
