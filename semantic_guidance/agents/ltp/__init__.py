"""Agents of the papers' kind: a ResNet that sees the whole picture and emits a bundle of strokes per step."""
