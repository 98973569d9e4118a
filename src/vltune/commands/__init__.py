"""The commands of `vltune`, one file each; cli.py says how they are called."""
