"""The transformers engine: Hugging Face models without vLLM."""
