"""Datasets: pictures with what is known of their objects. They know nothing of painting."""
