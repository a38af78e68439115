"""Networks as plain modules: sizes are arguments, and nothing is imported but torch."""
