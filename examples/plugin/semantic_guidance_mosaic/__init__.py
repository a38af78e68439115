"""An example of a plug-in. Each module shows one kind of thing that can be plugged in."""
