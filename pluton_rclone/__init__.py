"""Connect Microsoft OneDrive (Personal, Business, SharePoint) to Pluton backups, driven by the real rclone."""
