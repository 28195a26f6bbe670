"""How a router is prepared: `plan` says what should be there, `script` prints it for RouterOS, `apply` does it over the API."""
