"""Agents of the paper's observation, levels and rewards, whose strokes are made where they are painted."""
