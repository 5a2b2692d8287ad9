"""Recordings by the folder: what is marked where, by whom, and what became of it."""
