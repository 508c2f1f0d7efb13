"""Tests of pluton_rclone.rclone; a package, so that its helpers can be imported."""
