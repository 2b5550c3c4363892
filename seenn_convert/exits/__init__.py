"""When to stop: readouts, temperatures, thresholds, strategies, certificates."""
