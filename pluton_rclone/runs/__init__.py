"""Runs as values that can be stored, sent and done again, and the record of every run."""
