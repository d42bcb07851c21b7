"""The bundled pair of tiny models: problem generator, step checker, trainer, checkpoints."""
