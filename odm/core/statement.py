"""What is said wherever a score, a model or a catalog that rests on simulated data is shown."""

SIMULATED_DATA = (
    "trained and scored on simulated data; precision, recall and edge error on real data are "
    "unknown; distributions that the simulator drew are not findings; nothing is implied about "
    "physical origin or earthquakes"
)
