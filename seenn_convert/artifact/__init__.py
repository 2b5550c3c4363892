"""The folder format: a converted network as plain data."""
