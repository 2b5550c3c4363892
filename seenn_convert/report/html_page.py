"""The frame of an HTML page that needs nothing else: no network, no scripts."""

from collections.abc import Sequence
from importlib import resources

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a page may load: nothing but what is in it."""


def page(title: str, kicker: str, name: str, parts: Sequence[str]) -> str:
    """Return the whole page.

    Args:
        title: Of the window, as HTML.
        kicker: The line above the heading.
        name: The heading, as HTML.
        parts: What stands below it, one after the other, as HTML.
    """
    style = resources.files("seenn_convert.report").joinpath("style.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{title}</title><style>{style}</style></head><body>"
        f'<header><p class="kicker">{kicker}</p><h1>{name}</h1></header><main>'
        + "\n".join(parts)
        + "</main></body></html>\n"
    )
