"""What the four reference agents share: reading the input, the tools, the formulas and the messages."""
