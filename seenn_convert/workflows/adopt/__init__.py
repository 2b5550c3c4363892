"""A network that was trained as a spiking one in, an artifact with early exit out."""
