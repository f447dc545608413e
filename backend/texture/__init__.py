"""Textures from photos: `baker.TextureBaker` makes them.

A picture is unwrapped (`observation`), what covers the face is left out (`covers`), what is left is
looked at in even daylight (`photo_light`, `half_shadow`), weighed (`evidence`) and doubted
(`doubts`), several pictures become one (`merging`), and what none shows is filled (`fill`).
"""
