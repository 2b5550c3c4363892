"""Images from files and from memory, with their preprocessing, as ``Samples``."""

from seenn_convert.data.adapters import as_samples
from seenn_convert.data.dataset import Dataset
from seenn_convert.data.events import EventFrames
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.readers.open import open_dataset
from seenn_convert.data.samples import Samples

__all__ = ["Dataset", "EventFrames", "Preprocessing", "Samples", "as_samples", "open_dataset"]
