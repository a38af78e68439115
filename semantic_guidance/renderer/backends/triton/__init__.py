"""Kernels for graphics cards, in Triton, which only `kernels` imports, when something is rendered."""
