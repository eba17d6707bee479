"""Generic name -> component registry; knows no prover."""
