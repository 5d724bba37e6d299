"""From an archive to a campaign: the stages, and a runner for one machine."""
