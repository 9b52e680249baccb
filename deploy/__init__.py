"""Ships the product: here the stack of one machine without containers."""
