"""Renderers that can be exchanged: plain torch, compiled CPU kernels, the papers' network."""
