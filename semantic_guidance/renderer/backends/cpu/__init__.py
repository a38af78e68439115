"""Compiled CPU kernels. Nothing outside this folder imports Numba."""
