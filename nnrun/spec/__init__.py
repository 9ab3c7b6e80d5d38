"""What the user wrote: YAML with places, Keras's names, checked sections."""
