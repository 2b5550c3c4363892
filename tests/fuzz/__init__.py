"""Mutated input of every kind: it is used, or refused with an error of our tree, in bounded time and memory.

A part is a module with ``trials(seed)``, an iterator over pairs: what was mutated, and a function that gets an empty
folder, makes the input there and runs the product on it, letting its exceptions out.
"""
