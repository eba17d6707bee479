"""Takes a name that is taken."""
