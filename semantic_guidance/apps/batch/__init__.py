"""Many pictures by one command: what they are, where their paintings go, and what has been done."""
