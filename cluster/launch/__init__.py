"""What Ray and vLLM are launched with, and the long-lived process that they run as."""
