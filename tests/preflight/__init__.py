"""Tests of the preflight, with what they share."""
