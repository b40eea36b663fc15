"""The asyncio shell: does what was decided. Sockets, timers, files and signals live here."""
