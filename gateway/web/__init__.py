"""HTTP: each handler parses, calls one flow, renders."""
