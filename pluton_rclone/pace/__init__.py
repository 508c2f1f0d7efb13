"""How fast rclone may send requests: within what Microsoft grants and the available memory."""
