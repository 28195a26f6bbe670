"""`python -m gateway` is `hotspot-gateway`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
