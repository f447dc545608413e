"""Textures from photos: `baker.TextureBaker` makes them."""
