"""A folder of photos and clips, one after the other."""
