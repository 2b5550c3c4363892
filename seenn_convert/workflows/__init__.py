"""What a command does, top to bottom."""
