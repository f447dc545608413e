"""Decoders of still pictures. They run in a child process: see `backend.sandbox`."""
