"""Lets live calls outlive this process: their journals are kept, and another runner takes them over."""
