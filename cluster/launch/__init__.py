"""The command lines of Ray and vLLM, and the long-lived process that runs them."""
