"""Commands of `ttc`, one file each: `add_arguments(parser)` and `run(arguments) -> exit status`."""
