"""What works here and what does not, with what to do."""
