"""What differs for callers between two configurations. Pure: compares values, reads and prints nothing."""
