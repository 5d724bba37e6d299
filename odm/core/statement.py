"""The statement that goes with every score, model and catalog that rests on simulated data."""

SIMULATED_DATA = (
    "trained and scored on simulated data; precision, recall and edge error on real data are "
    "unknown; distributions that the simulator drew are not findings; nothing is implied about "
    "physical origin or earthquakes"
)
