"""Ways of running one spiking network with early exit: PyTorch as it is, compiled, or whichever is fastest."""
