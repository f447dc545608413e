"""Completed textures against what photos show."""
