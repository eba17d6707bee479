"""The toy prover: reach a number from 1 by `double` and `inc`."""
