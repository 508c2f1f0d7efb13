"""The drives of the emulated Microsoft: items, content, names, quota, versions, recycle bin,
changes, sites.
"""
