"""What the ionosphere does to a wave: formulas that simulating and finding share."""
