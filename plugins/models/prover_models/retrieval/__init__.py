"""Premise selection: finding the lemmas that a goal needs among those that it may use."""
