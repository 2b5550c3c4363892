"""What ``bench`` measured, in words."""

from seenn_convert.measure.speed import Speed
from seenn_convert.report.numbers import number, plural


def speed_words(speed: Speed) -> str:
    """Return on what, and how, everything was measured."""
    images = plural(speed.images, "image", "images")
    if speed.made_up:
        what = f"{images} made up, since none were given: exits, and what depends on them, then mean nothing"
    else:
        what = images
    load = f"; under load {number(speed.arrivals, 1)} requests per second arrive" if speed.arrivals is not None else ""
    return (
        f"{speed.network}, at most {speed.timesteps} timesteps, on {what}; "
        f"{plural(speed.threads, 'thread', 'threads')}, medians of {plural(speed.rounds, 'round', 'rounds')} in which "
        f"everything ran in turn{load}."
    )
