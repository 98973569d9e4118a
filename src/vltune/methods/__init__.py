"""The fine-tuning methods, one file each; see `interface` for what a method is."""
