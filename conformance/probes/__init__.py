"""What is asked: the probes of the contracts, drawn variants of them, pictures and sounds with an answer in them."""
