"""`popscope top`: one node, live in a terminal, straight from its segments."""
