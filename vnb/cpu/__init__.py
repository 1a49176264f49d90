"""The RV64GC hart: one instruction table, one engine source, three readings of it."""
