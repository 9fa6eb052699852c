"""Runs as data: kept, compared, merged, judged again, waived, drawn."""
