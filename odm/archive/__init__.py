"""Files to datasets: names, listings and readers of half-orbits."""
