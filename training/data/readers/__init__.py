"""Readers of public training sets; each gives `training.data.fitted_photos.FittedPhotos`."""
