"""How fast rclone may ask: within what Microsoft grants, and within the memory at hand."""
