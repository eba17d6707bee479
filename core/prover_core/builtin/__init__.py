"""Core's own components: the fake prover, recordings of other provers, and the scripted policy.

They need no prover and no model, and are what tests, tutorials and authors of plugins use.
"""
