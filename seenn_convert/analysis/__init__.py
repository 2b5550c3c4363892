"""Questions about a program; they change nothing."""
