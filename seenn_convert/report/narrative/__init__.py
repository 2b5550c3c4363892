"""The sentences about a network, as functions of typed values: page and console say the same."""
