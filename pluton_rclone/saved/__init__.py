"""A saved remote: its token, and the rclone that works with a private copy of its section."""
