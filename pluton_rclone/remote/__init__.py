"""What is stored: the OneDrive remote as a model, and rclone.conf, shared safely with whatever else writes
it.
"""
