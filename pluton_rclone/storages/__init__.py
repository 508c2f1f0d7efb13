"""The top of the library: the storages of one rclone.conf, and the operations on each."""
