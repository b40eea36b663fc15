"""What a live call shows to people who watch it: its fields as the admin API has them, masked."""
