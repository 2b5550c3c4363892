"""Sections of the report page that are tables, pictures and lists, and the words and numbers they are made of.

Every function takes the report as plain data in which any value may be missing, and returns HTML; what comes from
outside (file names, class names, node names) passes through ``text``.
"""

import base64
import binascii
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from seenn_convert.artifact.plain import dig, finite, mappings

MISSING = "–"
PIXELATED_BELOW = 65
TREATMENTS = {
    "stem": "sees the analog image; runs once for each image",
    "linear": "works on spikes as it stands",
    "spiking": "became a layer of neurons",
    "temporal-difference": "runs on the mean of its inputs so far and passes on what changed",
}


class Column(NamedTuple):
    """A table column: its heading, what it means on hover, and whether it holds numbers."""

    heading: str
    meaning: str = ""
    numeric: bool = True


def text(value: Any) -> str:
    """Return ``value`` escaped for HTML."""
    return MISSING if value is None or value == "" else escape(str(value))


def number(value: Any, digits: int = 0, unit: str = "") -> str:
    """Return a number with thousands separators and ``digits`` decimals."""
    known = finite(value)
    return MISSING if known is None else f"{known:,.{digits}f}".replace("-", "\u2212") + unit


def percent(value: Any, digits: int = 1) -> str:
    """Return a share in [0, 1] as percent."""
    known = finite(value)
    return MISSING if known is None else number(100 * known, digits, "\u00a0%")


def significant(value: Any, digits: int = 3) -> str:
    """Return a number with ``digits`` significant digits."""
    known = finite(value)
    if known is None:
        return MISSING
    if known and not 1e-4 <= abs(known) < 1e6:
        mantissa, exponent = f"{known:.{digits - 1}e}".split("e")
        return f"{mantissa}\u00a0×\u00a010<sup>{int(exponent)}</sup>".replace("-", "\u2212")
    known = float(f"{known:.{digits - 1}e}")
    decimals = max(digits - 1 - math.floor(math.log10(abs(known))), 0) if known else 0
    return number(known, decimals)


def scaled(value: Any, names: Sequence[str], joiner: str = "\u00a0") -> str:
    """Return a number in the largest of units 1,000 apart, three digits: ``41.0 M``."""
    known = finite(value)
    if known is None:
        return MISSING
    power = 0
    while power < len(names) - 1 and abs(known) >= 999.5:
        known, power = known / 1000, power + 1
    return (significant(known) + joiner + names[power]).strip()


def count(value: Any) -> str:
    """Return a large count with its unit prefix."""
    return scaled(value, ("", "k", "M", "G", "T"))


def energy(nanojoule: Any) -> str:
    """Return an energy in its handiest unit."""
    return scaled(nanojoule, ("nJ", "µJ", "mJ", "J"))


def ratio(value: Any, reference: Any) -> float | None:
    """Return ``value / reference``, None where either is unknown or the reference is 0."""
    above, below = finite(value), finite(reference)
    return above / below if above is not None and below else None


def plural(amount: int, one: str, many: str) -> str:
    """Return an amount of things in words."""
    return f"{amount:,} {one if amount == 1 else many}"


def section(identifier: str, title: str, *parts: str) -> str:
    """Return a section of the page under a heading."""
    head = f'<section id="{identifier}" aria-labelledby="{identifier}-title"><h2 id="{identifier}-title">{title}</h2>'
    return head + "".join(parts) + "</section>"


def paragraph(words: str, kind: str = "") -> str:
    """Return a paragraph of HTML text."""
    return f'<p class="{kind}">{words}</p>' if kind else f"<p>{words}</p>"


def not_measured() -> str:
    """Return the sentence that stands where numbers are missing."""
    return paragraph("Not measured.", "muted")


def table(name: str, columns: Sequence[Column], rows: Iterable[Sequence[str]], long: bool = False) -> str:
    """Return a table of finished cells; the first cell of a row is its heading. A ``long`` one scrolls."""
    head = "".join(
        f'<th scope="col"{_kind(c)}' + (f' title="{escape(c.meaning)}"' if c.meaning else "") + f">{c.heading}</th>"
        for c in columns
    )
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(cell if cell.startswith("<td") else f"<td{_kind(c)}>{cell}</td>" for c, cell in _pairs(columns, row))
        + "</tr>"
        for row in rows
    )
    frame = f'<div class="scroll{" long" * long}" role="region" tabindex="0" aria-label="{escape(name)}">'
    return f"{frame}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def details(summary: str, *parts: str) -> str:
    """Return a part of the page that opens on demand."""
    return f"<details><summary>{summary}</summary>{''.join(parts)}</details>"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a list of terms and their values."""
    return "<dl>" + "".join(f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in pairs) + "</dl>"


def warnings_box(report: Mapping[str, Any]) -> str:
    """Return the warnings of the conversion and of the evaluation, nothing where there are none."""
    warnings = [*(dig(report, "conversion", "warnings") or []), *(dig(report, "evaluation", "warnings") or [])]
    if not warnings:
        return ""
    title = plural(len(warnings), "warning", "warnings")
    items = "".join(f"<li>{text(warning)}</li>" for warning in warnings)
    return f'<aside class="warnings" aria-label="Warnings"><h2>{title}</h2><ul>{items}</ul></aside>'


def examples_section(report: Mapping[str, Any]) -> str:
    """Return pictures of images that left first and last."""
    parts = []
    for key, title in (("easy", "Easy: left first"), ("hard", "Hard: left last")):
        samples = mappings(dig(report, "evaluation", "examples", key))
        if samples:
            pictures = "".join(_example(sample, dig(report, "model", "class_names")) for sample in samples)
            parts.append(f'<h3>{title}</h3><div class="pictures">{pictures}</div>')
    words = "Under each picture: the answer, whether it is right, the exit step, and the confidence there."
    return section("examples", "Easy and hard images", *([paragraph(words), *parts] if parts else [not_measured()]))


def costs_section(report: Mapping[str, Any]) -> str:
    """Return time, operations and energy of the ANN, all timesteps, and early exit."""
    evaluation = dig(report, "evaluation")
    rows = cost_rows(evaluation)
    if all(value is None for _, values in rows for value in values):
        return section("costs", "What it costs", not_measured())
    shown = {"Time": lambda v: number(v, 2, "\u00a0ms"), "Energy, estimated": energy}
    cells = [[name, *_compared(values, shown.get(name, count), name in _COMPARED)] for name, values in rows]
    columns = [Column("For one image"), Column("ANN"), Column("All timesteps"), Column("Early exit")]
    assumptions = "".join(f"<li>{text(words)}</li>" for words in dig(evaluation, "energy", "assumptions") or [])
    listed = f"<p>The energy is an estimate from operation counts:</p><ul>{assumptions}</ul>" if assumptions else ""
    words = (
        "Time is what this machine took to simulate the spiking network; hardware made for spikes works differently. "
        "A synaptic operation is one addition that a spike causes; the ANN multiplies and adds instead. "
        "Counts are in thousands (k), millions (M) and billions (G)."
    )
    return section("costs", "What it costs", table("Costs", columns, cells), paragraph(words, "muted"), listed)


def cost_rows(evaluation: Any) -> list[tuple[str, list[float | None]]]:
    """Return name and value for ANN, all timesteps and early exit of everything that costs something."""
    stem, macs = finite(dig(evaluation, "operations", "stem_macs")), finite(dig(evaluation, "operations", "ann_macs"))
    ways = ("all_timesteps", "early_exit")
    accumulates = [finite(dig(evaluation, "operations", "synaptic_operations", way)) for way in ways]
    time, joule = dig(evaluation, "milliseconds_per_image"), dig(evaluation, "energy", "nanojoule_per_image")
    head = finite(dig(evaluation, "operations", "policy_macs")) or 0.0
    paid = [(value, None if stem is None else stem + own) for value, own in zip(accumulates, (0.0, head), strict=True)]
    once = [None if value is None else own for value, own in paid]
    totals = [None if own is None or value is None else own + value for value, own in paid]
    return [
        ("Time", [finite(dig(time, way)) for way in ("ann", *ways)]),
        ("Multiply-accumulates", [macs, *once]),
        ("Synaptic operations", [None, *accumulates]),
        ("Operations together", [macs, *totals]),
        ("Spikes", [None, *(finite(dig(evaluation, "operations", "spikes", way)) for way in ways)]),
        ("Energy, estimated", [finite(dig(joule, way)) for way in ("ann", *ways)]),
    ]


def operators_section(report: Mapping[str, Any]) -> str:
    """Return every operator and what became of it, collapsed."""
    operators = mappings(dig(report, "conversion", "operators"))
    kinds = [str(operator.get("treatment")) for operator in operators]
    summary = ", ".join(
        f"{kinds.count(kind)} {text(kind)}" for kind in dict.fromkeys([*TREATMENTS, *kinds]) if kind in kinds
    )
    words = facts((text(kind), TREATMENTS[kind]) for kind in TREATMENTS if kind in kinds)
    columns = [
        Column("Node", numeric=False),
        Column("Operator", numeric=False),
        Column("Treatment", numeric=False),
        Column("Multiply-accumulates"),
        Column("Share"),
        Column("Driven by", "What sets off its multiply-accumulates", numeric=False),
        Column("From", "Where it stands in the model that was read", numeric=False),
    ]
    rows = [
        [text(o.get("name")), text(o.get("operator")), text(o.get("treatment")), number(o.get("macs")),
         percent(o.get("share")), text(o.get("driven_by") or ""), text(o.get("source"))]
        for o in operators
    ]  # fmt: skip
    body = details(
        f"{plural(len(operators), 'operator', 'operators')}: {summary}",
        words,
        table("Operators", columns, rows, long=True),
    )
    return section("operators", "Operators", body if operators else paragraph("None listed.", "muted"))


def passes_section(report: Mapping[str, Any]) -> str:
    """Return what each pass changed and what it declined, collapsed."""
    passes = mappings(dig(report, "conversion", "passes"))
    declined = sum(len(item.get("declined") or []) for item in passes)
    columns = [Column("Pass", numeric=False), Column("Changed"), Column("Declined", numeric=False)]
    rows = [[text(p.get("name")), number(p.get("changed")), _declined(p.get("declined"))] for p in passes]
    body = details(
        f"{plural(len(passes), 'pass', 'passes')}, {plural(declined, 'place', 'places')} declined",
        table("Passes", columns, rows),
    )
    return section("passes", "Passes", body if passes else paragraph("None listed.", "muted"))


def provenance_section(report: Mapping[str, Any]) -> str:
    """Return model, data, versions, machine and date."""
    model, environment = dig(report, "model"), dig(report, "environment")
    shape = dig(model, "input_shape")
    versions = dig(environment, "versions")
    known = versions.items() if isinstance(versions, Mapping) else ()
    data = dig(report, "evaluation", "data")
    tested = f"{text(dig(data, 'name'))}, {number(dig(data, 'images'))} images" if data else MISSING
    pairs = [
        ("Model", text(dig(model, "name"))),
        ("SHA-256", f'<code class="hash">{text(dig(model, "sha256"))}</code>'),
        ("Input", " × ".join(text(size) for size in shape) if isinstance(shape, (list, tuple)) else MISSING),
        ("Classes", number(dig(model, "classes"))),
        ("Calibration data", calibration_words(report)),
        ("Evaluation data", tested),
        ("Versions", ", ".join(f"{text(name)} {text(version)}" for name, version in known) or MISSING),
        ("Machine", text(dig(environment, "machine"))),
        ("Date", text(dig(environment, "date"))),
    ]
    return section("provenance", "Provenance", facts(pairs))


def calibration_words(report: Mapping[str, Any]) -> str:
    """Return name and size of the calibration set in words."""
    data = dig(report, "conversion", "calibration")
    if not data:
        return MISSING
    labelled = {True: ", labelled", False: ", without labels"}.get(dig(data, "labelled"), "")
    split = f"{number(dig(data, 'fitting_images'))} to fit, {number(dig(data, 'held_out_images'))} held out"
    return f"{text(dig(data, 'name'))}, {number(dig(data, 'images'))} images ({split}){labelled}"


_COMPARED = ("Time", "Operations together", "Energy, estimated")


def _kind(column: Column) -> str:
    return "" if column.numeric else ' class="words"'


def _pairs(columns: Sequence[Column], row: Sequence[str]) -> Iterable[tuple[Column, str]]:
    return zip(columns[1:], row[1:], strict=True)


def _compared(values: Sequence[float | None], show: Callable[[Any], str], compare: bool) -> Iterable[str]:
    """Yield the cells of a cost row, those after the first with their ratio to it."""
    yield show(values[0])
    for value in values[1:]:
        relation = ratio(value, values[0]) if compare else None
        yield show(value) + ("" if relation is None else f"<small>{significant(relation, 2)} × ANN</small>")


def _declined(pairs: Any) -> str:
    if not pairs:
        return MISSING
    known = [pair for pair in pairs if isinstance(pair, (list, tuple)) and len(pair) == 2]
    items = (f"<li><code>{text(place)}</code> {text(reason)}</li>" for place, reason in known)
    return f'<ul class="plain">{"".join(items)}</ul>'


def _example(sample: Mapping[str, Any], class_names: Any) -> str:
    """Return a picture with its caption; what is not an embedded picture is not shown."""
    image, label = str(sample.get("image") or ""), sample.get("label")
    answer, truth = _class(sample.get("prediction"), class_names), _class(label, class_names)
    verdict, kind = f"✓ {answer}", "right"
    if label is None:
        verdict, kind = answer, "unknown"
    elif label != sample.get("prediction"):
        verdict, kind = f"✗ {answer}", "wrong"
    alt = answer if label is None else f"{truth}, answered {answer}"
    small = ' class="pixelated"' if 0 < _picture_width(image) < PIXELATED_BELOW else ""
    picture = f'<img src="{escape(image)}" alt="{alt}"{small}>' if image.startswith("data:image/") else ""
    where = f"step {number(sample.get('exit_step'))} · {percent(sample.get('confidence'), 0)}"
    where = f"truth: {truth}<br>{where}" if kind == "wrong" else where
    return f'<figure>{picture}<figcaption><b class="{kind}">{verdict}</b><br>{where}</figcaption></figure>'


def _class(index: Any, names: Any) -> str:
    if isinstance(index, int) and isinstance(names, (list, tuple)) and 0 <= index < len(names):
        return text(names[index])
    return MISSING if index is None else f"class {text(index)}"


def _picture_width(url: str) -> int:
    """Return the width of an embedded PNG in pixels, 0 where it cannot be read."""
    _, found, data = url.partition("image/png;base64,")
    try:
        return int.from_bytes(base64.b64decode(data[:32])[16:20]) if found else 0
    except binascii.Error:
        return 0
