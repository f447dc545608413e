"""The face model fitted to points: for photos, for clips and for training data."""
