"""The first minute on a card: every kind of call and two models, on a card beside the emulator."""
