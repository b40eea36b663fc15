"""Who calls whom: SIP addresses and telephone numbers, read from whatever carriers send."""
