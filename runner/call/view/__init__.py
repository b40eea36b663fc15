"""Shows a live call to the people who watch it: the admin API's fields, masked."""
