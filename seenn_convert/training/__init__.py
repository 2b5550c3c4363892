"""What is trained: weights, and policy heads."""
