"""Crawling: public repositories, cloned at a commit, with the date at which each theorem first appeared.

Nothing that was cloned is ever run: no hooks, no submodules, no filters, no symbolic links.
"""
