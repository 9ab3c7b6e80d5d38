"""Speed: a specification trained by plain Keras and by nnrun in turns."""
