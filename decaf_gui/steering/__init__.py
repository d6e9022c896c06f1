"""Training of soft prompts that steer a frozen MLLM's attention (SteerSeg, spec section 8)."""
