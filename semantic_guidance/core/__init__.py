"""Nouns and tools that know nothing about painting: strokes, guidance, files, weights, threads."""
