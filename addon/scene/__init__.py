"""What the add-on does to Blender's data, without any user interface."""
