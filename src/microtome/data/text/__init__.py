"""What a text model is shown: sentence pairs, sentences and tokens, with the properties people have words for."""
