"""Choices that are kept with the scene."""
