"""Labelled data that is made rather than collected: harmonic tones of known pitch, and lines of text, some turned."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

RATE, FRAME = 16_000, 1024
"""Samples per second, and samples of one tone."""

LOWEST_CENTS, CENTS_PER_BIN, BINS = 1997.3794084376191, 20, (40, 320)
"""Pitch of CREPE's first bin in cents above 10 Hz, distance of two bins, and the bins that tones are drawn from."""

LINE = (48, 192)
"""Height and width of a line of text in pixels."""

WORDS = (
    "about after again also another because before between both came could day down each even first from good great "
    "had have here how just know last life like little long made make man many might more most much must never new "
    "now old only other our out over own people said same see should some state still such take than that their them "
    "then there these they this those three time two under very was way well were what when where which while who "
    "will with work world would year you your"
)

Bytes = NDArray[np.uint8]
Generator = np.random.Generator


def tones(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return tones ``(N, 1024)`` with mean 0 and deviation 1, as CREPE takes them, and the bins of their pitches.

    A tone has up to 13 harmonics of random strength and phase, a pitch within 5 cents of the centre of its bin, and
    noise of 2 % to 50 % of its deviation.
    """
    random = np.random.default_rng(seed)
    bins = random.integers(*BINS, count)
    cents = LOWEST_CENTS + CENTS_PER_BIN * (bins + random.uniform(-0.25, 0.25, count))
    return np.stack([_tone(float(hertz), random) for hertz in 10 * 2 ** (cents / 1200)]), bins


def _tone(hertz: float, random: Generator) -> NDArray[np.float32]:
    harmonics = np.arange(1, max(1, min(13, int(0.95 * RATE / 2 / hertz))) + 1)
    strength = random.uniform(0.3, 1, len(harmonics)) / harmonics ** random.uniform(0.5, 2)
    phase = random.uniform(0, 2 * np.pi, len(harmonics))
    turns = harmonics[:, None] * hertz * np.arange(FRAME) / RATE
    clean = (strength[:, None] * np.sin(2 * np.pi * turns + phase[:, None])).sum(axis=0)
    noisy = clean / clean.std() + random.uniform(0.02, 0.5) * random.normal(size=FRAME)
    return ((noisy - noisy.mean()) / noisy.std(ddof=1)).astype(np.float32)


def write_lines(folder: Path, count: int, seed: int, fonts: Sequence[Path]) -> None:
    """Write lines of text as images of class folders ``0_upright`` and ``1_turned``."""
    random = np.random.default_rng(seed)
    beside = folder.with_name(f"{folder.name}.new")  # what is there is complete
    for number in range(count):
        pixels, turned = text_line(random, fonts)
        place = beside / ("1_turned" if turned else "0_upright")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number:04d}.png")
    beside.rename(folder)


def text_line(random: Generator, fonts: Sequence[Path]) -> tuple[Bytes, bool]:
    """Return a line of text ``(48, 192, 3)``, as wide as it is or filled with grey, and whether it is upside down.

    Font, size, colours, blur, noise and a slight slope are random, so that the network is not right on every line.
    """
    image, turned = _written(random, fonts), bool(random.integers(2))
    height, most = LINE
    width = min(most, math.ceil(height * image.width / image.height))
    image = (image.rotate(180) if turned else image).resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.full((height, most, 3), 128.0)
    pixels[:, :width] = np.asarray(image) + random.uniform(0, 25) * random.normal(size=(height, width, 3))
    return pixels.clip(0, 255).round().astype(np.uint8), turned


def _written(random: Generator, fonts: Sequence[Path]) -> Image.Image:
    text = " ".join(_word(random) for _ in range(random.integers(2, 6)))
    font = ImageFont.truetype(fonts[int(random.integers(len(fonts)))], int(random.integers(20, 40)))
    paper, ink = _colours(random)
    left, top, right, bottom = (int(edge) for edge in font.getbbox(text))
    before, after, above, below = (int(margin) for margin in random.integers(2, 8, 4))
    image = Image.new("RGB", (right - left + before + after, bottom - top + above + below), paper)
    ImageDraw.Draw(image).text((before - left, above - top), text, font=font, fill=ink)
    image = image.rotate(random.uniform(-2, 2), Image.Resampling.BICUBIC, fillcolor=paper)
    return image.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.5)))


def _word(random: Generator) -> str:
    word, kind = str(random.choice(WORDS.split())), random.random()
    if kind < 0.15:
        return str(random.integers(10_000))
    return word.title() if kind < 0.4 else word.upper() if kind < 0.5 else word


def _colours(random: Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return two colours whose brightness differs by 40 of 255 at least."""
    while True:
        paper, ink = random.integers(0, 256, (2, 3))
        if abs(paper.mean() - ink.mean()) >= 40:
            return tuple(paper.tolist()), tuple(ink.tolist())
