"""What add-on and backend share: the wire contract, the handshake, names, and smoothing.

Standard library and numpy only, and relative imports only: `build_addon.py` writes this package
into the add-on as ``addon/exchange``, which git ignores.
"""
