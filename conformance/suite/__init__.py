"""The test functions that `pytest --pyargs conformance.suite` collects: one item a rule and target."""
