"""Simulated counterparts, shipped and tested: a RouterOS router, IntaSend, and the phones between them."""
