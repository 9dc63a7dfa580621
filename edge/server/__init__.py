"""The HTTP face: counts in the request, jobs for large scenes, the Open Inference Protocol, metrics, and a page."""
