"""The ONNX operators that can be read."""
