"""Tests of pluton_rclone.remote, most of them against the real rclone."""
