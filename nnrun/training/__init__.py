"""The compiled training engine, its loop and its checkpoints."""
