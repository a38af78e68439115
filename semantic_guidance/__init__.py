"""Object-aware painting: a photograph becomes strokes, and the strokes a painting."""
