"""The paper's network: channel encoders, shared backbone, dynamic combination."""
