"""Training: labelled imagery -> tiles -> a fine-tuned network -> ONNX -> an evaluated model folder.

Each step runs as `python -m training.<step>`, resumes, shows its progress on stderr, and ends with one JSON line.
"""
