"""Whether a network fits a chip or another tool: a neutral view of it, rules that are data, and what comes out."""
