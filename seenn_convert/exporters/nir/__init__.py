"""The target ``nir``: thresholds folded into weights, a file in the form that a reader needs, and what runs it."""
