"""Who opens the gate: `base` is what the flows see, `mikrotik` and `link` are MikroTik's RouterOS API."""
