"""One module per login that pi can store: how its tokens are renewed. Logging in stays pi's job."""
