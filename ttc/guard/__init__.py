"""Guards against input from outside: the user's files, and the work that files may ask for."""
