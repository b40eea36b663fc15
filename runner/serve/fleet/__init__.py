"""How live calls outlive this process: their journals are kept, and whoever is left takes them up."""
