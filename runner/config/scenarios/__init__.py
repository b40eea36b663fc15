"""Turns scenario files into values for the player, with every mistake at its place."""
