"""Textures from photos: `baker.TextureBaker` makes them.

A picture is unwrapped (`observation`), what it shows is weighed (`evidence`) and doubted
(`doubts`), several pictures become one (`merging`), and what none shows is filled (`fill`).
"""
