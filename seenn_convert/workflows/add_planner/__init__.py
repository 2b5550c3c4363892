"""Attach a policy head that chooses the number of timesteps before the run (SEENN-II)."""
