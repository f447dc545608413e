"""Faces through a clip: `track.Track` is what is known of one of them."""
