"""One file a format: image folders, npz archives, IDX files."""
