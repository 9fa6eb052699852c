"""What a provider does beside answering as a model: what it keeps, lists, counts and guards."""
