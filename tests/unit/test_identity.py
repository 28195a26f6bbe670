"""Identity: what is read, what is refused, how it prints."""
