"""Ray: cluster connection, datasets, training, reprocessing and job submission."""
