"""Neurons: their law, their layers, and the types a user may choose."""
