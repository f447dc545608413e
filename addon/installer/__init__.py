"""Installs the backend into an environment of its own, from Blender or from a terminal.

Needs nothing but Python's standard library, and imports nothing outside this package, so that
``python synergyface-<version>.zip`` runs it without Blender.
"""
