"""From photos and films of faces to heads; every use of it begins with this."""

from backend.telemetry import switch_off

# Here, because libraries read their switches once, when they are imported.
switch_off()
