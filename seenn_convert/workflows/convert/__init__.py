"""A model and sample images in, a spiking early-exit network out."""
