"""The asyncio shell, which carries out decisions. Sockets, timers, files and signals live here."""
