"""Tests of listings from the change feed."""
