"""The machine: what it is made of, and how fast it is."""
