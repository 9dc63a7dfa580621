"""tanker-edge: count oil tankers and other vessels in overhead images of port terminals.

The modules stack in the order in which data flows: scene -> tiling -> preprocess -> session -> decode -> merge ->
count -> write. Imports only ever go down that list.
"""

__version__ = "0.1.0"
