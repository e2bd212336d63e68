"""Sums of a shop."""
