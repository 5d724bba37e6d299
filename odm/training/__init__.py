"""Training: one loop for every task, in plain torch."""
