"""Networks outside this package: one target a file, behind one small interface, and whether a chip takes them."""
