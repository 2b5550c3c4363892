"""What a program is: graph, state, operators, and the closed list of modules."""
