"""Paste the tables in ``benchmarks/results`` into README.md, between its markers: no figure is typed by hand."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main() -> None:
    """Rewrite the README's section."""
    readme = ROOT / "README.md"
    before, rest = readme.read_text().split(BEGIN)
    after = rest.split(END)[1]
    tables = [path.read_text().strip() for path in sorted((ROOT / "benchmarks" / "results").glob("*.md"))]
    readme.write_text(f"{before}{BEGIN}\n" + "\n\n".join(tables) + f"\n{END}{after}")


if __name__ == "__main__":
    main()
