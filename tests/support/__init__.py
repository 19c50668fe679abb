"""What the black-box suites share: the service under test, engines, a raw HTTP client, the corpus format."""
