"""Numbers of a clip on their way to keys. No ``bpy`` here."""
