"""What is measured and paid: limits, quotas, what was observed against what was declared, prices and plans."""
