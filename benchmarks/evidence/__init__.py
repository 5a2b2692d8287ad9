"""What the documents quote: made, stored where a stranger can check it, and compared with what they say."""
