"""Polyprover: one harness for many provers."""
