"""The version of ttc, for the package and for the artifacts that it writes."""

VERSION = "0.1.0"
