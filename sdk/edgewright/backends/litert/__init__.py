"""LiteRT (once TensorFlow Lite): Raspberry Pi and other Arm boards, and x86 through XNNPACK."""
