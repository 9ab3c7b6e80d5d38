"""Runs on disk: directories, durable writes, locks."""
