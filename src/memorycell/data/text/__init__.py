"""Text: files, corpora, codecs of words, characters and subwords."""
