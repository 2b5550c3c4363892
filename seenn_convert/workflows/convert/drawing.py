"""Draw the images that a conversion uses, where more are given than it needs."""

from seenn_convert.data.samples import Samples
from seenn_convert.workflows.convert.options import Options


def used_images(data: Samples, options: Options) -> Samples:
    """Return as many of the images as the options say, drawn by the seed, each class by its share."""
    most = options.calibration_images
    return data if most == 0 or len(data) <= most else data.take(most, options.seed)
