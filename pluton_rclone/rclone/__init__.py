"""Runs the rclone binary: safe arguments in, typed events out, nothing left behind."""
