"""What the scripts beside it run, and what tests take from them."""
