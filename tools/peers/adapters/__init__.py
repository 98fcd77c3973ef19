"""One module for each peer: how its log is made, written anew, and verified."""

from . import aat_mcp, aat_verify, agt_chain, agt_file, obsigna

ALL = [agt_chain, agt_file, aat_mcp, aat_verify, obsigna]
