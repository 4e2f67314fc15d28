"""`python -m memorycell` is the command `memorycell`."""

from memorycell.cli.main import run

if __name__ == "__main__":
    run()
