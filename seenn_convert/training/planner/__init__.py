"""Train the policy head from readouts."""
