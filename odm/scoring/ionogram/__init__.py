"""Scores of layers and leading edges in ionograms."""
