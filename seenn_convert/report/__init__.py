"""Judge a converted network and show it."""
