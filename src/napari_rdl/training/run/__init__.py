"""A run: its folder, its process, its beginning and end."""
