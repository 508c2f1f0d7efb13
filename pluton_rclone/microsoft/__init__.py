"""The client of Microsoft's services: clouds, sign-in, tokens, and drives through Graph."""
