"""How much it takes for so many photos a second, what it costs, and what breaks first."""
