"""Sources of the kernels: plain Python for Numba. What ships is made of them by `build`."""
