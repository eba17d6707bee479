"""Proof data: neutral records, dataset folders, splits, leakage, validation."""
