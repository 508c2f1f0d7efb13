"""The top of the library: the storages of one rclone.conf, and what can be done with each."""
