"""Driving the rclone binary: safe argv in, typed events out, nothing left behind."""
