"""Subcommands: one file each, with add_arguments() and main()."""
