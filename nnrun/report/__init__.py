"""The numbers and pictures by which a trained model is judged."""
