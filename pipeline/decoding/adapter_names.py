"""What the files of an adapter are called, and how large they may be."""

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
MOST_BYTES = 8 * 2**30
MOST_CONFIG_BYTES = 2**20
