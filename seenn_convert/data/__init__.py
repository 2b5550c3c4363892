"""Data sets from files: image folders, npz archives and IDX files, with their preprocessing."""

from seenn_convert.data.dataset import Dataset, open_dataset
from seenn_convert.data.preprocessing import Preprocessing

__all__ = ["Dataset", "Preprocessing", "open_dataset"]
