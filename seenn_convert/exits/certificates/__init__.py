"""What leaving early costs at most, with a stated probability."""
