"""What the ATen operators of the closed list are in ONNX."""
