"""Formats of proof data that belong to no prover; each module is one, with its options."""
