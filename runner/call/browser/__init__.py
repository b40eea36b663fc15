"""What a call from a browser needs decided before it rings: its offer and its token."""
