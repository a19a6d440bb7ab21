"""The one version of the project, and its name in every document that leaves a host."""

VERSION = "0.1.0"
PROJECT = "salt-transfer"
