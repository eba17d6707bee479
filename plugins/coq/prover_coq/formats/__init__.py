"""Formats of proof data that other tools for Coq use: PALM, CoqGym, CoqStoq."""
