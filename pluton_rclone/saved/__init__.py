"""Saved remotes: their tokens, and the rclone that works with a private copy of their sections."""
