"""Training by the analytic policy gradient on running canvases: paintings at all stages, side by side."""
