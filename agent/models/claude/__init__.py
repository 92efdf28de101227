"""Claude through the `anthropic` SDK: requests, streams, errors, what is known of the models."""
