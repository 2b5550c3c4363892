"""Limits as data: a rule names a fact, what it may be, and what would help where it is something else."""

from collections.abc import Mapping, Sequence

import msgspec

from seenn_convert.exporters.check.findings import Finding, Weight
from seenn_convert.exporters.check.view import PARTS, Fact

NETWORK = "network"
"""What a rule is about that looks at the whole network."""

Choice = bool | int | str


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One limit; every part of a fact that has several (a kernel of 3 x 5) must keep it.

    Attributes:
        name: Name of the rule.
        on: The parts it is about, ``view.PARTS``, or ``network``.
        fact: The fact; a call site without it is passed over.
        most: The largest that it may be.
        least: The smallest that it may be.
        among: What it may be.
        equals: The only thing that it may be.
        says: What the fact is called in a sentence; of a fact that is true or false, the whole sentence.
        when: Other facts that must hold for the rule to apply, each one value or a list of values.
        weight: What a breach means.
        remedy: What would help.
        source: Where the limit is stated.
    """

    name: str
    on: tuple[str, ...]
    fact: str
    says: str
    source: str
    most: float | None = None
    least: float | None = None
    among: tuple[Choice, ...] | None = None
    equals: Choice | None = None
    when: dict[str, Choice | list[Choice]] = {}
    weight: Weight = "refused"
    remedy: str = ""

    def __post_init__(self) -> None:
        """Refuse a rule that limits nothing, or that is about no part."""
        if self.most is None and self.least is None and self.among is None and self.equals is None:
            raise ValueError(f"rule {self.name!r} limits nothing; give most, least, among or equals")
        unknown = [part for part in self.on if part not in (*PARTS, NETWORK)]
        if unknown or not self.on:
            raise ValueError(f"rule {self.name!r} is about {unknown or 'nothing'}; parts are {', '.join(PARTS)}")


def breach(rule: Rule, facts: Mapping[str, Fact]) -> Finding | None:
    """Return what is wrong with ``facts`` by one rule; None if it is kept or does not apply."""
    value = facts.get(rule.fact)
    if value is None or not all(_holds(facts.get(name), wanted) for name, wanted in rule.when.items()):
        return None
    parts: Sequence[Choice] = value if isinstance(value, tuple) else (value,)  # type: ignore[assignment]
    if all(_kept(rule, part) for part in parts):
        return None
    found, limit = _text(value), _limit(rule)
    is_flag = isinstance(value, bool)
    reason = rule.says if is_flag else f"{rule.says} {found}{limit}"
    limit = limit.lstrip(",; ")
    return Finding(
        rule=rule.name, weight=rule.weight, reason=reason, found=found, limit=limit, remedy=rule.remedy,
        source=rule.source,
    )  # fmt: skip


def _kept(rule: Rule, value: Choice) -> bool:
    if rule.equals is not None and value != rule.equals:
        return False
    if rule.among is not None and value not in rule.among:
        return False
    if isinstance(value, str):
        return True
    return (rule.most is None or value <= rule.most) and (rule.least is None or value >= rule.least)


def _holds(value: Fact | None, wanted: Choice | list[Choice]) -> bool:
    choices = wanted if isinstance(wanted, list) else [wanted]
    parts = value if isinstance(value, tuple) and value else (value,)
    return all(part in choices for part in parts)


def _limit(rule: Rule) -> str:
    """Return the limit as the end of a sentence."""
    bounds = [f"{word} {_number(bound)}" for word, bound in (("at least", rule.least), ("at most", rule.most))
              if bound is not None]  # fmt: skip
    allowed = rule.among if rule.among is not None else (rule.equals,) if rule.equals is not None else ()
    choices = f"; allowed: {', '.join(_text(one) for one in allowed)}" if allowed else ""
    return (f", {' and '.join(bounds)}" if bounds else "") + choices


def _number(bound: float) -> str:
    return f"{bound:,.0f}" if bound == round(bound) else f"{bound:g}"


def _text(value: Fact) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple):
        numbers = all(not isinstance(part, str) for part in value)
        return " x ".join(map(str, value)) if numbers else ", ".join(_words(str(part)) for part in value)
    return _words(value) if isinstance(value, str) else f"{value:g}"


def _words(part: str) -> str:
    return part.replace("_", " ")
