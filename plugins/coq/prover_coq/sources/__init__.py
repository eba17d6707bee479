"""Where Coq theorems come from: files, the standard library, lists."""
