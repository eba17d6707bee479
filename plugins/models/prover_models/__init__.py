"""Polyprover plugin: models."""
