"""The UV-texture GAN: a photo and the mean face's texture become a person's texture.

Described by Wu, Xu and Neumann (3DV 2021, section 5.5 and supplement). Nothing here depends on
the rest of the project.
"""
