"""What a release weighs, what could weigh less, what changed, and what the last build spent its time on."""
