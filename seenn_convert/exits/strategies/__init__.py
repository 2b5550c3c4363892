"""Ways to decide when to stop, to be compared."""
