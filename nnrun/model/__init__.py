"""From a specification to a Keras model."""
