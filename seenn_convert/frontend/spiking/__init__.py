"""Read networks that were trained as spiking ones: of SpikingJelly or snnTorch layers, or with explicit state."""
