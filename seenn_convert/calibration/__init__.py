"""Calibration: from sample images to thresholds and corrections, as values."""
