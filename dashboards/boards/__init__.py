"""The dashboards, one a file: which panels in which rows, and which choices."""
