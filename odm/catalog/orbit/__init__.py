"""Campaigns of half-orbits: inputs, the catalog of regions, and statistics."""
