"""``piproxy connect``: other programs' settings, printed or written."""
