"""From an expression to attention maps: prompts, the multimodal LLM, rollout, fusion."""
