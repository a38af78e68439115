"""Kernels for graphics cards, in Triton, which only `kernels` imports, and only when something is rendered."""
