"""Write a converted network for other runtimes: one target a file, behind one small interface."""
