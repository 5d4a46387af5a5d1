"""What pi keeps on disk and in the environment, and what it means. No network."""
