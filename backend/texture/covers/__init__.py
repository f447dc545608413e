"""What lies before a face: a small network finds it in the unwrapped picture, in any light."""
