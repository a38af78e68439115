"""Training of painting agents. Painting never imports it."""
