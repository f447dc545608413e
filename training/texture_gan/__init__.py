"""Training of the UV-texture GAN."""
