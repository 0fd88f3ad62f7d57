"""What runs an artifact: the C sources that go into its library, and the Python twin."""
