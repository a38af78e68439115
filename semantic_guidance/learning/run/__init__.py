"""A training run: its loop, checkpoints, log and processes."""
