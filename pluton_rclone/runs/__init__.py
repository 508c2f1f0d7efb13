"""Runs as values that can be stored, sent and repeated, and the record of every run."""
