"""rclone.conf, a file that other programs write as well: locking, atomic changes, encryption."""
