"""Scores of regions in half-orbits."""
