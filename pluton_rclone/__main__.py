"""`python -m pluton_rclone`: the command line."""

from pluton_rclone.cli import main

if __name__ == "__main__":
    main()
