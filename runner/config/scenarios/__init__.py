"""Scenario files to the values that the player takes, with every mistake at its place."""
