"""One file per command of the tandem program."""
