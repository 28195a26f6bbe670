"""The rules that the source tree keeps: each is a function from a tree of sources to its offences."""
