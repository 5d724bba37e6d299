"""What a campaign says, for people: figures, a page to look at findings, their review."""
