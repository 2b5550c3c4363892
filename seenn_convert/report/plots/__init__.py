"""Plots as values: what is drawn where, before a template makes SVG of it."""
