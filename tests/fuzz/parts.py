"""The parts of the fuzz suite."""

PARTS = ("options", "commands", "pt2_files", "artifacts", "data_files", "onnx_files")
