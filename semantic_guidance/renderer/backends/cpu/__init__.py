"""Compiled CPU kernels. Nothing outside this folder knows Numba."""
