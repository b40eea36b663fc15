"""The command line: one file per command, exit codes, rendering. Decides nothing about calls."""
