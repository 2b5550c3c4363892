"""The parts of the fuzz suite."""

PARTS = ("options", "commands", "pt2_files", "data_files")
