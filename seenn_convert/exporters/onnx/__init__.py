"""Spiking networks as ONNX: stem and step apart, or all in one file with the time loop inside."""
