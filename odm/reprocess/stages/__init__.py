"""Reading and finishing inputs, for each kind."""
