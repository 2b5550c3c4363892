"""The stages of a conversion that read the calibration data, one a file: thresholds, weights, biases, the exit."""
