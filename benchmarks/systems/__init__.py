"""What is compared: each starts as real processes on this machine and is then asked by clients."""
