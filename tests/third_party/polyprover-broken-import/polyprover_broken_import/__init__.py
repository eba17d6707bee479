"""Does not import."""
