"""Lean 4 for Polyprover (not yet: the environment is the subject of a later release)."""
