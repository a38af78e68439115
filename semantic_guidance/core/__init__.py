"""Nouns and tools that know nothing of painting: strokes, guidance, files, weights, threads."""
