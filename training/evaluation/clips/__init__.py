"""Tracked clips against clips that we draw and so know."""
