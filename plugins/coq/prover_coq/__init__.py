"""Polyprover plugin: coq."""
