"""Run a spiking program: state as a value, early exit that saves work."""
