"""Films painted frame after frame, with strokes that stay the same ones."""
