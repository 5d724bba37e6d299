"""Data without end: half-orbits that a simulator draws in memory while a training runs."""
