"""Many photos and clips in one run: resumable, on all cores or on a Ray cluster."""
