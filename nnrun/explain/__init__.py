"""What a specification and its parts mean, in words, formulas and curves."""
