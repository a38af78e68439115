"""The studio: a page to paint in, its worker processes and its HTTP interface."""
