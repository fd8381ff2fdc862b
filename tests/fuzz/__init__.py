"""The fuzz run: damaged models, artifacts and program texts must end in a sentence; see docs/fuzzing.md."""
