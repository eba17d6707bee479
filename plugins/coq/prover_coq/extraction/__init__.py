"""How the extractor works: a walk through a file in a live prover, and the records made of it."""
