"""``python -m airstore``."""

from airstore.cli.main import run

if __name__ == "__main__":
    run()
