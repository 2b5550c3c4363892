"""Passes: program in, program out, one a file."""
