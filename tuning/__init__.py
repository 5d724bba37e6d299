"""Sweeps of hyperparameters: Ray Tune and Optuna over the trainings of `odm`."""
