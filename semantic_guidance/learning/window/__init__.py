"""Training of the window agents."""
