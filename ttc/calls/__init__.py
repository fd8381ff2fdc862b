"""What each TTNN call is: one frozen dataclass a call, with TTNN's own names; no torch and no ttnn in here."""
