"""rclone.conf as a file that other programs write too: locked, atomic, encrypted."""
