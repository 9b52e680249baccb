"""What holds for the tests of every room."""

import functools

import httpcore2

# Reading a machine's certificate authorities takes some 30 ms, and tests make clients by the thousand.
httpcore2.default_ssl_context = functools.cache(httpcore2.default_ssl_context)
