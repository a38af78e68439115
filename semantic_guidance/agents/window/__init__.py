"""Agents that paint any square part of a picture: one small network, window by window."""
