"""Who makes the first strokes of a painting."""
