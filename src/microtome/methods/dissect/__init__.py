"""Which concepts does a unit detect?"""
