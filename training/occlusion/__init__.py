"""Training of the network that tells what covers a face."""
