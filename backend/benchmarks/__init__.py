"""How fast it is, beside others."""
