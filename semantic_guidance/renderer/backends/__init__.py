"""Interchangeable renderers: plain torch, compiled CPU kernels, the papers' network."""
