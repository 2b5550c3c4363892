"""Scripts that load a NIR file in a reader; each is copied into the exports for it, and needs nothing of ours."""
