"""Run the Python blocks of a page of the documentation."""

import re
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "generated" not in path.parts)


def blocks(page: Path) -> list[str]:
    """Return the Python blocks of ``page``; illustrations that do not run are marked ``py`` and are left out."""
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def run(page: Path) -> dict[str, Any]:
    """Run all blocks of ``page`` in one namespace, in the current folder, and return it."""
    namespace: dict[str, Any] = {"__name__": page.stem}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small tensors: more threads wait for each other, most of all beside other tests
    try:
        with torch.random.fork_rng():  # pages seed the generator
            exec(compile("\n".join(blocks(page)), str(page), "exec", dont_inherit=True), namespace)
    finally:
        torch.set_num_threads(threads)
    return namespace
