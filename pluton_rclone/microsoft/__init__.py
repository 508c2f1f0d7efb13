"""Talking to Microsoft: clouds, sign-in, tokens, and finding drives through Microsoft Graph."""
