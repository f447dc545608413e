"""The backend as the add-on sees it: its process, what is asked of it, what it answers."""
