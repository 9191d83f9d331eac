"""What words say about the numbers and links beside them, in many languages.

Every language is one TOML file in this folder; adding a language is adding a file. `table.py` tells its form.
"""
