"""The models of a campaign, for each kind of input."""
