"""Where examples come from, how they are split, and what identifies them."""
