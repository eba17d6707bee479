"""The ``knn`` policy: what was done in the most similar proof states, fitted to the present one.

The idea is Tactician's (L. Blaauwbroek, J. Urban, H. Geuvers: *Tactic Learning and Proving for the Coq
Proof Assistant*, LPAR 2020): features of proof states weighted by inverse document frequency, nearest
neighbours, and a search. This is an implementation of its own, on goals as text and not inside Coq.
"""
