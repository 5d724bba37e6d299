"""Campaigns of ionograms: inputs, the catalog of layers, and statistics."""
