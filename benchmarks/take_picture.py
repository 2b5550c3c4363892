"""Take the README's picture of a report.

Run: ``python benchmarks/take_picture.py demo-output/report.html docs/images/report.png``.
It needs Chromium, and Pillow, which is installed with the package.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1100, 1000
BYTES = 200_000


def take_picture(page: Path, picture: Path) -> None:
    """Write the upper part of ``page`` as a PNG of at most ``BYTES`` bytes."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no Chromium found; install it (apt-get install chromium)")
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.png"
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--screenshot={raw}"]
        subprocess.run([*command, f"--window-size={WIDTH},{HEIGHT}", page.resolve().as_uri()], check=True, timeout=120)
        image = Image.open(raw).convert("RGB")
    picture.parent.mkdir(parents=True, exist_ok=True)
    for colours in (256, 128, 64, 32):
        image.quantize(colours).save(picture, optimize=True)
        if picture.stat().st_size <= BYTES:
            return


if __name__ == "__main__":
    take_picture(Path(sys.argv[1]), Path(sys.argv[2]))
