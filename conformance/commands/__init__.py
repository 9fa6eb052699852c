"""The commands of `conformance`: what each takes, and what it hands over to whom."""
