"""Kernels for graphics cards, in Triton. Nothing outside this folder imports Triton."""
