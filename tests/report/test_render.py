"""The pages are whole, safe and readable, whatever part of the report is there."""

import base64
import contextlib
import copy
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from fake_reports import certified_report, fake_comparison, fake_report, small_report, typed, typed_comparison

from seenn_convert.artifact.schema.coding import from_plain, to_plain
from seenn_convert.artifact.schema.report import Report
from seenn_convert.errors import ArtifactError
from seenn_convert.report.plots.comparison import comparison_plots
from seenn_convert.report.plots.evaluation import report_plots
from seenn_convert.report.render import comparison_page, plot_svg, report_page

ALWAYS = ["summary", "conversion", "operators", "passes", "provenance"]
MEASURED = ["accuracy", "trade-off", "exits", "examples", "costs", "layers"]
VOID = {"meta", "img", "br"}
HOSTILE = "<script>alert('&\"')</script>"


class Page(HTMLParser):
    """Reads a page: its text, the tags that were not closed in order, and the attributes that load something."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.errors: list[str] = []
        self.sections: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self.classes: list[str] = []
        self.policy = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.classes += (dict(attrs).get("class") or "").split()
        self.policy += dict(attrs).get("content") or "" if tag == "meta" and "http-equiv" in dict(attrs) else ""
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset", "action")]
        if tag == "section":
            self.sections.append(dict(attrs)["id"] or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.errors.append(tag)

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & {*self.open}:
            self.words += data.replace("\u00a0", " ")


def read(html: str) -> Page:
    """Read a page and check what every page must satisfy."""
    page = Page(html)
    assert (page.errors, page.open) == ([], [])
    assert all(url.startswith("data:image/") for url in page.loaded)
    assert not {"link", "iframe", "object"} & set(page.tags)
    assert page.tags.count("script") == 1  # the page's own, and its policy lets no other run
    script = html[html.index("<script>") + len("<script>") : html.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.policy and "default-src 'none'" in page.policy
    assert not re.search(r"\b(None|nan|inf)\b", page.words)
    return page


def read_report(report: dict[str, Any]) -> Page:
    """Render ``report`` and read it."""
    return read(report_page(typed(report)))


def paths(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the keys to everything in nested mappings and lists."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from paths(value, (*path, key))


def holder(data: Any, path: tuple[Any, ...]) -> Any:
    """Return what holds the last key of ``path``."""
    for key in path[:-1]:
        data = data[key]
    return data


def test_the_page_has_every_section_in_reading_order() -> None:
    page = read_report(fake_report())

    assert page.sections == [*ALWAYS[:1], *MEASURED[:5], "conversion", "layers", "operators", "passes", "provenance"]
    assert page.classes.count("plot") == 4
    assert "1 warning" in page.words


@pytest.mark.parametrize("head", [True, False])
def test_the_page_of_a_comparison_has_every_section(head: bool) -> None:
    page = read(comparison_page(typed_comparison(fake_comparison(head=head))))

    sections = ["summary", "timesteps", "lost", "operations", "time", "auroc", "reliability", "provenance"]
    assert page.sections == sections
    assert page.classes.count("plot") == 4
    assert ("attach-policy" in page.words) is not head
    assert ("planned + confidence" in page.words) is head


def test_without_an_evaluation_the_page_shows_the_conversion_and_how_to_evaluate() -> None:
    report = {**fake_report(), "evaluation": None}
    page = read_report(report)

    assert page.sections == ALWAYS
    assert "seenn-convert evaluate ARTIFACT --data DATA" in page.words


def test_an_empty_report_is_a_page_all_the_same() -> None:
    assert read(report_page(Report())).sections == ["summary", "provenance"]


def test_an_empty_comparison_is_a_page_all_the_same() -> None:
    comparison = {**fake_comparison(), "ways": [], "measured": [], "auroc": {}, "reliability": []}
    words = read(comparison_page(typed_comparison(comparison))).words
    assert words.count("Not measured.") == 2


@pytest.mark.slow
def test_any_key_that_may_be_absent_is_shown_as_such() -> None:
    """Take each key out in turn: either the report is refused as unreadable, or it is a page."""
    text, pages = json.dumps(small_report()), 0
    for path in paths(json.loads(text)):
        report = json.loads(text)
        place = holder(report, path)
        if isinstance(place, dict):
            del place[path[-1]]
            try:
                known = typed(report)
            except ArtifactError:
                continue
            read(report_page(known))
            pages += 1
    assert pages > 20


def test_names_from_outside_are_escaped() -> None:
    report = small_report()
    fixed = {"treatment", "policy", "risk", "code"}
    for path in list(paths(report)):
        place = holder(report, path)
        if isinstance(place[path[-1]], str) and path[-1] not in fixed:
            place[path[-1]] = HOSTILE
    page = read_report(report)

    assert page.words.count(HOSTILE) > 15


def test_names_from_outside_are_escaped_in_a_comparison_and_in_plots() -> None:
    comparison = fake_comparison(head=True)
    for way in comparison["ways"]:
        way["label"] = HOSTILE
    comparison |= {"model": HOSTILE, "warnings": [{"code": "other", "text": HOSTILE}]}
    known = typed_comparison(comparison)

    assert read(comparison_page(known)).words.count(HOSTILE) > 8
    for plot in comparison_plots(known).values():
        root = ElementTree.fromstring(plot_svg(plot))
        assert not [element for element in root.iter() if element.tag.endswith("script")]


def test_a_picture_is_shown_only_if_it_is_embedded() -> None:
    report = small_report()
    report["evaluation"]["examples"]["easy"][0]["image"] = "https://example.org/picture.png"

    assert len(read_report(report).loaded) == 1
    assert "example.org" not in report_page(typed(report))


def test_warnings_of_conversion_and_evaluation_are_in_one_box_on_top() -> None:
    report = small_report()
    report["conversion"]["warnings"], report["evaluation"]["warnings"] = ["one"], ["images of <another> kind"]
    html = report_page(typed(report))

    assert "<li>one</li><li>images of &lt;another&gt; kind</li>" in html
    assert "2 warnings" in html
    assert html.index("2 warnings") < html.index('id="summary"')


@pytest.mark.parametrize(("holds", "words"), [(True, "The certificate holds here"), (False, "does not hold here")])
def test_a_certificate_has_a_section_and_a_verdict(holds: bool, words: str) -> None:
    page = read_report(certified_report(holds=holds))
    assert "certificate" in page.sections
    assert page.words.count(words) == 2


def test_without_a_certificate_nothing_is_said_of_it() -> None:
    assert "certif" not in read_report(small_report()).words.lower()
    assert "holds here" not in read_report(certified_report()).words


def test_without_a_target_the_certificate_decides() -> None:
    report = certified_report()
    report["conversion"]["exit"]["target"] = None
    assert "Targetwhat the certificate allows" in read_report(report).words


def test_examples_say_right_or_wrong_and_name_the_classes() -> None:
    report = small_report()
    easy = report["evaluation"]["examples"]["easy"][0]
    right = read_report(report).words
    easy.update(label=2, prediction=7)
    wrong = read_report(report).words
    easy.update(label=None)

    assert "✓ airplane" in right
    assert "✗ class 7truth: bird" in wrong
    assert "✗ class 7" not in read_report(report).words


def test_facts_say_how_it_was_converted() -> None:
    words = read_report(certified_report()).words
    for fact in ("Neuronsigned; a spike is {-1, 0, 1}", "Firing thresholdsmse, 8 levels, one per channel",
                 "Targetat most 0.5 points below the ANN", "At most (epsilon)1.00 %", "SHA-2569f86", "Input3 × 32 × 32",
                 "Evaluation datatest.npz, 5,000 images"):  # fmt: skip
        assert fact in words


@pytest.mark.parametrize("timesteps", [1, 3, 64])
def test_one_timestep_and_many(timesteps: int) -> None:
    report = fake_report(timesteps=timesteps, layers=2, side=2)
    report["evaluation"]["early_exit"]["exit_counts"] = {str(timesteps): 5000}
    words = read_report(report).words

    assert ("up to 1 timestep;" if timesteps == 1 else f"up to {timesteps} timesteps;") in words
    assert ("every image leaves at it" if timesteps == 1 else "100.0 % leave only at timestep") in words


def test_the_times_name_the_images_that_were_timed() -> None:
    words = " ".join(read_report(fake_report()).words.split())
    assert "over 512 images in batches of 256 with 2 threads" in words


def test_a_page_with_many_layers_stays_light_and_is_always_the_same() -> None:
    report = fake_report(timesteps=32, layers=150)
    page = report_page(typed(report))

    assert len(page.encode()) < 500_000
    assert page == report_page(typed(json.loads(json.dumps(report))))


def test_every_value_of_a_plot_is_said_without_scripts_and_every_curve_has_a_button() -> None:
    html = report_page(typed(fake_report()))
    for plot in report_plots(typed(fake_report())).values():
        named = [series for series in plot.series if series.label]
        for series in named:
            assert all(f"<title>{mark.words}</title>" in html for mark in plot.marks(series))
        if len(named) > 1:
            assert all(f"</svg>{series.label}</button>" in html for series in named)


def test_a_plot_alone_has_its_colours_in_it() -> None:
    for plot in report_plots(typed(fake_report())).values():
        svg = plot_svg(plot)
        root = ElementTree.fromstring(svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.get("width") and root.get("height")
        assert "var(" not in svg


@pytest.mark.parametrize("value", [1e308, -1e308, 1.5])
@pytest.mark.parametrize("field", ["ann_accuracy", "accuracy_at"])
def test_an_accuracy_that_was_edited_is_said_and_not_drawn(field: str, value: float) -> None:
    report = small_report()
    report["evaluation"][field] = value if field == "ann_accuracy" else {"1": value}
    with pytest.raises(ArtifactError, match=rf"damaged .*{field}"):
        typed(report)


def numbers_of(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each fractional number, once for all entries of a list."""
    entries = data.items() if isinstance(data, dict) else enumerate(data[:1]) if isinstance(data, list) else ()
    for name, value in entries:
        if isinstance(value, float):
            yield (*place, name)
        yield from numbers_of(value, (*place, name))


@pytest.mark.slow
def test_a_number_that_was_edited_renders_or_is_said() -> None:
    plain = to_plain(typed(certified_report()))
    for place in numbers_of(plain):
        edited = copy.deepcopy(plain)
        holder = edited
        for name in place[:-1]:
            holder = holder[name]
        holder[place[-1]] = 1e308
        with contextlib.suppress(ArtifactError):
            assert report_page(from_plain(edited, Report)).startswith("<!DOCTYPE html>")
