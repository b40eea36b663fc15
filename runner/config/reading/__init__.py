"""Turns files and YAML text into nodes that know their places, and merges them."""
