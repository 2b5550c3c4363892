"""Read a model, whatever it is, into a program."""
