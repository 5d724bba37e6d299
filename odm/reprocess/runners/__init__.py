"""Runners of campaigns on one machine."""
