"""Tests of how fast rclone asks."""
