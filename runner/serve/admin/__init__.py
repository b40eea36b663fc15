"""The admin API and the console: who may see live calls and steer them, and how."""
