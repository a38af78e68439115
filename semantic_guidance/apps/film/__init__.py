"""Films painted from the command line: what is asked for, what is written, and how it goes on."""
