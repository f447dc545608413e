"""Files for people and other programs: heads, animations, pictures."""
