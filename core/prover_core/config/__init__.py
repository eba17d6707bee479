"""Configuration: precedence, origins, checking, and making the objects that it names."""
