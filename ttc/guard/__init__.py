"""What comes from outside: the user's files, and how much work they may ask for."""
