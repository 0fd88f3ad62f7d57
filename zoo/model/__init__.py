"""The network: layers, encoders, decoders, and the one walk over a variant's layers."""
