"""Choose the exit decision from calibration data."""
