"""The commands of `odm`, one file each; what is heavy is imported when a command runs."""
