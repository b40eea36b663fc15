"""The command line: one file for each command, exit codes, rendering. Decides nothing about calls."""
