"""Fine-tuning: a converted network in, one that is right at the first timesteps out."""
